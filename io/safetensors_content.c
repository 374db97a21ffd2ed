/* safetensors_content.c - the formats that a file can hold, and the digest of its content: everything that
 * a reader can see goes into it, with lengths or zero bytes between, so that no two contents look alike. */
#include "safetensors_content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors data is little-endian: this machine needs a swap on the way in and out"
#endif

static const struct {
    const char *dtype;
    const fpx_format *format;
} dtypes[] = {
    { "F64", &fpx_fp64 },  { "F32", &fpx_fp32 },     { "F16", &fpx_fp16 },
    { "BF16", &fpx_bf16 }, { "F8_E4M3", &fpx_e4m3 }, { "F8_E5M2", &fpx_e5m2 },
    { "I32", &fpx_int32 },
};

enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

const char *io_st_dtype(const fpx_format *format)
{
    for (size_t i = 0; i < DTYPES; i++) {
        if (fpx_format_equal(dtypes[i].format, format))
            return dtypes[i].dtype;
    }
    return NULL;
}

const fpx_format *io_st_format(const char *dtype)
{
    for (size_t i = 0; i < DTYPES; i++) {
        if (strcmp(dtypes[i].dtype, dtype) == 0)
            return dtypes[i].format;
    }
    return NULL;
}

static int compare_names(const void *a, const void *b)
{
    const fpx_st_entry *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static int compare_keys(const void *a, const void *b)
{
    const fpx_st_pair *x = a, *y = b;

    return strcmp(x->key, y->key);
}

const fpx_st_entry **io_st_by_name(const fpx_st_entry *entries, size_t n)
{
    const fpx_st_entry **sorted = calloc(n + 1, sizeof(const fpx_st_entry *));

    if (sorted == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &entries[i];
    if (n > 1)
        qsort(sorted, n, sizeof(const fpx_st_entry *), compare_names);
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

fpx_status io_st_digest(const fpx_st_entry *const *by_name, size_t nentries, fpx_st_pair *pairs,
                        size_t npairs, char ret_text[IO_ST_DIGEST_ROOM])
{
    XXH3_state_t *state = XXH3_createState();
    XXH128_canonical_t sum;

    if (state == NULL)
        return FPX_ENOMEM;
    (void)XXH3_128bits_reset(state);
    if (npairs > 1)
        qsort(pairs, npairs, sizeof *pairs, compare_keys);
    put_number(state, npairs);
    for (size_t i = 0; i < npairs; i++) {
        put_text(state, pairs[i].key);
        put_text(state, pairs[i].value);
    }
    put_number(state, nentries);
    for (size_t i = 0; i < nentries; i++) {
        const fpx_tensor *t = &by_name[i]->desc;

        put_text(state, by_name[i]->name);
        put_text(state, io_st_dtype(&t->format));
        put_number(state, t->ndim);
        for (size_t axis = 0; axis < t->ndim; axis++)
            put_number(state, t->shape[axis]);
        (void)XXH3_128bits_update(state, by_name[i]->data, fpx_tensor_bytes(t));
    }
    XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(state));
    (void)XXH3_freeState(state);
    for (size_t i = 0; i < sizeof sum.digest; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", sum.digest[i]);
    return FPX_OK;
}
