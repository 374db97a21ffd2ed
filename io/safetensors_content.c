/* safetensors_content.c - the dtypes that a file can hold, and the digest of its content: everything that
 * a reader can see goes into it, with lengths or zero bytes between, so that no two contents look alike. */
#include "safetensors_content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors data is little-endian: this machine needs a swap on the way in and out"
#endif

/* The dtypes of the safetensors crate (enum Dtype, 0.8: these 22). Elements narrower than a byte are packed: their
 * count times bits is a whole number of bytes, which is all that the crate says. The order within comes with the data:
 * F4 is torch's float4_e2m1fn_x2 (its Python binding), the first of two in the low bits; for F6 there is no maker yet,
 * and ONNX (FLOAT6E2M3, FLOAT6E3M2) packs as fpx/pack.h's dense order does. */
static const io_st_dtype_row dtypes[] = {
    { "F64", 64, &fpx_fp64 },
    { "F32", 32, &fpx_fp32 },
    { "F16", 16, &fpx_fp16 },
    { "BF16", 16, &fpx_bf16 },
    { "F8_E4M3", 8, &fpx_e4m3 },
    { "F8_E5M2", 8, &fpx_e5m2 },
    { "F8_E8M0", 8, &fpx_e8m0 },
    { "F8_E4M3FNUZ", 8, &fpx_e4m3fnuz },
    { "F8_E5M2FNUZ", 8, &fpx_e5m2fnuz },
    { "F6_E2M3", 6, &fpx_e2m3 },
    { "F6_E3M2", 6, &fpx_e3m2 },
    { "F4", 4, &fpx_e2m1 },
    { "I32", 32, &fpx_int32 },
    { "BOOL", 8, NULL },
    { "U8", 8, NULL },
    { "I8", 8, NULL },
    { "I16", 16, NULL },
    { "U16", 16, NULL },
    { "U32", 32, NULL },
    { "C64", 64, NULL },
    { "I64", 64, NULL },
    { "U64", 64, NULL },
};

enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

const io_st_dtype_row *io_st_dtype_find(const char *name)
{
    for (size_t i = 0; i < DTYPES; i++) {
        if (strcmp(dtypes[i].name, name) == 0)
            return &dtypes[i];
    }
    return NULL;
}

const char *io_st_dtype(const fpx_format *format)
{
    for (size_t i = 0; i < DTYPES; i++) {
        if (dtypes[i].format != NULL && fpx_format_equal(dtypes[i].format, format))
            return dtypes[i].name;
    }
    return NULL;
}

int io_st_size(unsigned bits, size_t ndim, const uint64_t *shape, uint64_t *ret_count,
               uint64_t *ret_bytes)
{
    uint64_t count = 1;
    int empty = 0;

    for (size_t i = 0; i < ndim; i++)
        empty |= shape[i] == 0;
    for (size_t i = 0; i < ndim && !empty; i++) {
        if (count > UINT64_MAX / 64 / shape[i]) /* so that bits fit, too */
            return 0;
        count *= shape[i];
    }
    if (empty)
        count = 0;
    if (count * bits % 8 != 0)
        return 0;
    *ret_count = count;
    *ret_bytes = count * bits / 8;
    return 1;
}

static int compare_names(const void *a, const void *b)
{
    const fpx_st_info *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static int compare_keys(const void *a, const void *b)
{
    const fpx_st_pair *const *x = a, *const *y = b;

    return strcmp((*x)->key, (*y)->key);
}

const fpx_st_info **io_st_by_name(const fpx_st_info *infos, size_t n)
{
    const fpx_st_info **sorted = calloc(n + 1, sizeof(const fpx_st_info *));

    if (sorted == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &infos[i];
    if (n > 1)
        qsort(sorted, n, sizeof(const fpx_st_info *), compare_names);
    return sorted;
}

static void put_number(XXH3_state_t *state, uint64_t value)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    (void)XXH3_128bits_update(state, bytes, sizeof bytes);
}

static void put_text(XXH3_state_t *state, const char *text)
{
    (void)XXH3_128bits_update(state, text, strlen(text) + 1);
}

XXH3_state_t *io_st_digest_begin(const fpx_st_pair *pairs, size_t npairs, size_t ntensors)
{
    const fpx_st_pair **sorted = calloc(npairs + 1, sizeof(const fpx_st_pair *));
    XXH3_state_t *state = sorted != NULL ? XXH3_createState() : NULL;

    if (state != NULL) {
        (void)XXH3_128bits_reset(state);
        for (size_t i = 0; i < npairs; i++)
            sorted[i] = &pairs[i];
        if (npairs > 1)
            qsort(sorted, npairs, sizeof(const fpx_st_pair *), compare_keys);
        put_number(state, npairs);
        for (size_t i = 0; i < npairs; i++) {
            put_text(state, sorted[i]->key);
            put_text(state, sorted[i]->value);
        }
        put_number(state, ntensors);
    }
    free(sorted);
    return state;
}

void io_st_digest_head(XXH3_state_t *state, const fpx_st_info *info)
{
    put_text(state, info->name);
    put_text(state, info->dtype);
    put_number(state, info->ndim);
    for (size_t axis = 0; axis < info->ndim; axis++)
        put_number(state, info->shape[axis]);
}

void io_st_digest_end(XXH3_state_t *state, char ret_text[IO_ST_DIGEST_ROOM])
{
    XXH128_canonical_t sum;

    XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(state));
    (void)XXH3_freeState(state);
    for (size_t i = 0; i < sizeof sum.digest; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", sum.digest[i]);
}
