/* codes_npy.c - a .npy file has no place for the name of a format: floats say it by their dtype, codes need to
 * be told. */
#include "codes_npy.h"

#include <inttypes.h>

static fpx_status read_bytes(void *context, void *dst, size_t bytes, fpx_error *err)
{
    fpx_npy_reader *const reader = context;

    return fpx_npy_read(reader, dst, bytes / fpx_npy_array_of(reader)->size, err);
}

static fpx_status rewind_array(void *context, fpx_error *err)
{
    return fpx_npy_rewind(context, err);
}

static const fpx_format *float_of(const fpx_npy_array *a)
{
    if (a->kind != 'f')
        return NULL;
    return a->size == 2 ? &fpx_fp16 : (a->size == 4 ? &fpx_fp32 : &fpx_fp64);
}

fpx_status cli_npy_in(fpx_npy_reader *reader, const char *name, const fpx_format *stated,
                      int packed, cli_codes_in *ret_in, fpx_error *err)
{
    const fpx_npy_array *const a = fpx_npy_array_of(reader);
    const fpx_format *const known = float_of(a);
    const size_t size = packed ? 1 : (stated != NULL ? fpx_format_size(stated) : 0);

    if (known == NULL && stated == NULL)
        return fpx_error_set(
            err, FPX_EINVAL,
            "%s: holds codes of %u byte%s: say of which format, quantize --from F or dequantize "
            "--format F (fpx formats lists them)",
            name, a->size, a->size == 1 ? "" : "s");
    if (known != NULL && stated != NULL && !fpx_format_equal(known, stated))
        return fpx_error_set(err, FPX_EINVAL, "%s: holds %s, not codes of %s", name,
                             fpx_format_alias(known), stated->name);
    if (known == NULL && size != a->size)
        return fpx_error_set(err, FPX_EINVAL, "%s: its elements have %u byte%s, %s of %s has %zu",
                             name, a->size, a->size == 1 ? "" : "s",
                             packed ? "a packed array" : "a code", stated->name, size);
    *ret_in = (cli_codes_in){ .name = name,
                              .wide = ": packed codes need --packed",
                              .format = known != NULL ? *known : *stated,
                              .packed = packed,
                              .count = fpx_npy_count(a),
                              .context = reader,
                              .read = read_bytes,
                              .rewind = rewind_array };
    return FPX_OK;
}

fpx_status cli_can_pack(const fpx_format *format, fpx_error *err)
{
    if (format->bits == 4 || format->bits == 6)
        return FPX_OK;
    return fpx_error_set(err, FPX_EINVAL, "--packed: %s has %u bits; packed are codes of 4 or 6",
                         format->name, format->bits);
}

fpx_status cli_npy_shape(const fpx_npy_array *from, const fpx_format *from_packed,
                         const fpx_format *format, int packed, const char *name,
                         fpx_npy_array *ret_array, fpx_error *err)
{
    const int is_float = fpx_format_equal(format, &fpx_fp16) ||
                         fpx_format_equal(format, &fpx_fp32) || fpx_format_equal(format, &fpx_fp64);
    fpx_npy_array a = *from;
    const unsigned bits = from_packed != NULL ? from_packed->bits : (packed ? format->bits : 8);

    if ((packed || from_packed != NULL) && a.ndim == 0)
        return fpx_error_set(err, FPX_EINVAL, "%s: a scalar cannot be packed", name);
    if (from_packed != NULL) {
        uint64_t *const last = &a.shape[a.ndim - 1];
        if (*last > UINT64_MAX / 8 || *last * 8 % bits != 0)
            return fpx_error_set(err, FPX_EINVAL,
                                 "%s: %" PRIu64 " bytes along the last axis are no whole number of "
                                 "packed codes of %u bits",
                                 name, *last, bits);
        *last = *last * 8 / bits;
    }
    if (packed) {
        uint64_t *const last = &a.shape[a.ndim - 1];
        if (*last > UINT64_MAX / 8 || *last * bits % 8 != 0)
            return fpx_error_set(err, FPX_EINVAL,
                                 "%s: %" PRIu64 " elements along the last axis are no whole number "
                                 "of bytes of %u-bit codes: pad it to a multiple of %d",
                                 name, *last, bits, bits == 4 ? 2 : 4);
        *last = *last * bits / 8;
    }
    a.kind = is_float ? 'f' : 'u';
    a.size = (uint8_t)(packed ? 1 : fpx_format_size(format));
    *ret_array = a;
    return FPX_OK;
}

static fpx_status write_bytes(void *context, const void *src, size_t bytes, fpx_error *err)
{
    cli_npy_target *const target = context;

    return fpx_npy_write(target->writer, src, bytes / target->size, err);
}

cli_codes_out cli_npy_out(cli_npy_target *target, int packed)
{
    const cli_codes_out out = { .packed = packed, .context = target, .write = write_bytes };

    return out;
}
