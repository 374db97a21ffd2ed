/* mma_fields.c - a model's fields as a table: what reads, prints or changes models goes by it. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/mma.h>

static const char *const sums[] = { "aligned", "exact", "fma", "tree", NULL };
static const char *const entries[] = { "early", "joined", "late", NULL };
static const char *const zeros[] = { "positive", "underflow", NULL };
static const char *const rounds[] = { "rne", "rna", "rz", NULL };
static const char *const deals[] = { "cyclic", "runs", NULL };
static const char *const combines[] = { "serial", "pairwise", NULL };

#define AT(field) offsetof(fpx_mma_model, field), sizeof(((fpx_mma_model *)0)->field)
static const struct place {
    fpx_mma_field field;
    size_t offset, size;
    int is_signed;
} places[] = {
    { { "sum", "what a block does", sums }, AT(sum), 0 },
    { { "c", "how c meets the products", entries }, AT(c), 0 },
    { { "block", "k of a block", NULL }, AT(block), 0 },
    { { "fraction", "F: bits of a term below the largest exponent", NULL }, AT(fraction), 0 },
    { { "e_zero", "exponent of a zero term (-32768: none)", NULL }, AT(e_zero), 1 },
    { { "round", "last conversion", rounds }, AT(round), 0 },
    { { "fraction_out", "its fraction bits", NULL }, AT(fraction_out), 0 },
    { { "zero", "sign of a zero result", zeros }, AT(zero), 0 },
    { { "nan_code", "what every NaN result is", NULL }, AT(nan_code), 0 },
    { { "drop", "low bits of float32 operands not read", NULL }, AT(drop), 0 },
    { { "flush_inputs", "zeros and subnormals of A, B, C are +0", NULL }, AT(flush_inputs), 0 },
    { { "flush_results", "subnormal products and sums are 0", NULL }, AT(flush_results), 0 },
    { { "group", "products summed exactly to one term", NULL }, AT(group), 0 },
    { { "parities", "2: even and odd terms summed apart", NULL }, AT(parities), 0 },
    { { "e_least", "least exponent of an operand (0: its format's)", NULL }, AT(e_least), 1 },
    { { "e_infinite", "exponent from which a product is Inf", NULL }, AT(e_infinite), 1 },
    { { "fraction_sum", "bits of the sum of products, cut down", NULL }, AT(fraction_sum), 0 },
    { { "fraction_c", "bits of c, cut down", NULL }, AT(fraction_c), 0 },
    { { "fraction_all", "bits of c + sum, cut down", NULL }, AT(fraction_all), 0 },
    { { "gap_c", "c counts as 0 this far below", NULL }, AT(gap_c), 0 },
    { { "step", "k of an instruction", NULL }, AT(step), 0 },
    { { "vectors", "interleaved vectors of a step", NULL }, AT(vectors), 0 },
    { { "width", "neighbours of a vector", NULL }, AT(width), 0 },
    { { "promote", "k between restarts", NULL }, AT(promote), 0 },
    { { "split", "splits of K", NULL }, AT(split), 0 },
    { { "tile", "k dealt to splits at a time", NULL }, AT(tile), 0 },
    { { "deal", "which split owns a tile", deals }, AT(deal), 0 },
    { { "combine", "order of the splits' sum", combines }, AT(combine), 0 },
};
#undef AT

enum { PLACES = sizeof places / sizeof places[0] };

const fpx_mma_field *fpx_mma_field_at(size_t index)
{
    return index < PLACES ? &places[index].field : NULL;
}

size_t fpx_mma_field_find(const char *name)
{
    size_t i = 0;

    while (i < PLACES && strcmp(places[i].field.name, name) != 0)
        i++;
    return i;
}

int64_t fpx_mma_field_get(const fpx_mma_model *model, size_t index)
{
    const struct place *const p = &places[index];
    const char *const at = (const char *)model + p->offset;
    uint8_t u8;
    uint16_t u16;
    int16_t i16;
    uint32_t u32;
    int64_t wide;

    switch (p->size) {
    case 1:
        memcpy(&u8, at, sizeof u8);
        return u8;
    case 2:
        memcpy(&u16, at, sizeof u16);
        memcpy(&i16, at, sizeof i16);
        return p->is_signed ? i16 : u16;
    case 4:
        memcpy(&u32, at, sizeof u32);
        return u32;
    default:
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
}

fpx_status fpx_mma_field_set(fpx_mma_model *model, size_t index, int64_t value)
{
    const struct place *const p = index < PLACES ? &places[index] : NULL;
    const uint8_t u8 = (uint8_t)value;
    const uint16_t u16 = (uint16_t)value;
    const uint32_t u32 = (uint32_t)value;

    if (p == NULL)
        return FPX_EINVAL;
    fpx_mma_model changed = *model;
    char *const to = (char *)&changed + p->offset;
    const void *const from = p->size == 1   ? (const void *)&u8
                             : p->size == 2 ? (const void *)&u16
                             : p->size == 4 ? (const void *)&u32
                                            : (const void *)&value;
    memcpy(to, from, p->size);
    if (fpx_mma_field_get(&changed, index) != value)
        return FPX_EINVAL;
    *model = changed;
    return FPX_OK;
}

static fpx_status format_parse(fpx_mma_model *model, const char *value, fpx_error *err)
{
    fpx_format format;
    const fpx_status status = fpx_format_parse(value, &format, err);

    if (status != FPX_OK)
        return status;
    if (model->fraction_out == model->format.mbits)
        model->fraction_out = format.mbits;
    model->format = format;
    model->nan_code = format.nan_code;
    return FPX_OK;
}

/* "rne, rna, rz", for a message. */
static void names_of(const fpx_mma_field *field, char *ret_text, size_t room)
{
    size_t used = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; field->values[i] != NULL && used < room; i++)
        used += (size_t)snprintf(ret_text + used, room - used, "%s%s", i > 0 ? ", " : "",
                                 field->values[i]);
}

fpx_status fpx_mma_field_parse(fpx_mma_model *model, const char *name, const char *value,
                               fpx_error *err)
{
    const size_t index = fpx_mma_field_find(name);
    const fpx_mma_field *const field = fpx_mma_field_at(index);
    char names[64];
    char *end = NULL;

    if (strcmp(name, "format") == 0)
        return format_parse(model, value, err);
    if (field == NULL)
        return fpx_error_set(err, FPX_EINVAL,
                             "a matrix unit has no %.40s: docs/models.md has its fields", name);
    for (int64_t i = 0; field->values != NULL && field->values[i] != NULL; i++) {
        if (strcmp(field->values[i], value) == 0)
            return fpx_mma_field_set(model, index, i);
    }
    if (field->values != NULL) {
        names_of(field, names, sizeof names);
        return fpx_error_set(err, FPX_EINVAL, "%s is one of %s, not %.40s", name, names, value);
    }
    errno = 0;
    const int64_t number = strtoll(value, &end, strncmp(value, "0x", 2) == 0 ? 16 : 10);
    if (*value == '\0' || *value == ' ' || *end != '\0' || errno != 0 ||
        fpx_mma_field_set(model, index, number) != FPX_OK)
        return fpx_error_set(err, FPX_EINVAL, "%s is a number that its type holds, not %.40s", name,
                             value);
    return FPX_OK;
}
