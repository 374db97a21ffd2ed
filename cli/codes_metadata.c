/* codes_metadata.c - reads the keys, and finds the tensor of scales that belongs to one of codes. */
#include "codes_metadata.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The value of PREFIX + name; NULL: none. */
static const char *stated(const fpx_st_stream *stream, const char *prefix, const char *name)
{
    const size_t length = strlen(prefix);
    size_t n = 0;
    const fpx_st_pair *const pairs = fpx_st_stream_pairs(stream, &n);

    for (size_t i = 0; i < n; i++) {
        if (strncmp(pairs[i].key, prefix, length) == 0 && strcmp(pairs[i].key + length, name) == 0)
            return pairs[i].value;
    }
    return NULL;
}

/* Its scales are the tensor NAME_scale. */
static fpx_status describe_blocks(const char *from, cli_tensor *t, fpx_error *err)
{
    const char *const name = t->info->name;
    const char *const amax = stated(t->stream, AMAX_KEY, name);
    const size_t length = strlen(name);
    size_t n = 0;
    const fpx_st_info *const infos = fpx_st_stream_infos(t->stream, &n);

    if ((t->block = stated(t->stream, BLOCK_KEY, name)) == NULL)
        return FPX_OK;
    for (size_t i = 0; i < n; i++) {
        if (strncmp(infos[i].name, name, length) == 0 &&
            strcmp(infos[i].name + length, SCALES) == 0)
            t->scales = &infos[i];
    }
    if (amax != NULL)
        t->amax = strtof(amax, NULL);
    return t->scales != NULL
               ? FPX_OK
               : fpx_error_set(err, FPX_EFORMAT,
                               "%s: metadata '" BLOCK_KEY "%.64s' needs a tensor '%.64s" SCALES "'",
                               from, name, name);
}

fpx_status cli_tensor_describe(const char *from, fpx_st_stream *stream, const fpx_st_info *info,
                               cli_tensor *ret_tensor, fpx_error *err)
{
    const char *const format = stated(stream, FORMAT_KEY, info->name);
    const char *const scale = stated(stream, SCALE_KEY, info->name);
    cli_tensor t = { .stream = stream, .info = info, .scale = 1.0 };
    char *end = NULL;

    if (info->format != NULL)
        t.format = *info->format;
    if (format != NULL && (info->dtype[0] != 'U' || fpx_format_parse(format, &t.format, NULL) ||
                           fpx_format_size(&t.format) * 8 != info->bits))
        return fpx_error_set(err, FPX_EFORMAT,
                             "%s: metadata '" FORMAT_KEY "%.64s' is '%.32s', which fits no %s",
                             from, info->name, format, info->dtype);
    if (scale != NULL) {
        t.is_scaled = 1;
        t.scale = strtod(scale, &end);
        if (end == scale || *end != '\0' || !isfinite(t.scale) || t.scale <= 0.0)
            return fpx_error_set(err, FPX_EFORMAT,
                                 "%s: metadata '" SCALE_KEY "%.64s' is '%.32s', no number above 0",
                                 from, info->name, scale);
    }
    const fpx_status status = describe_blocks(from, &t, err);
    if (status == FPX_OK)
        *ret_tensor = t;
    return status;
}
