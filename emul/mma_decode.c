/* mma_decode.c - elements of an operand in the schedule's order, as float32: gathered where they do not lie in a row. */
#include <math.h>
#include <string.h>

#include "mma_kernels.h"

static size_t k_at(const mma_job *job, size_t position)
{
    return job->order == NULL ? position : job->order[position];
}

static void gather_nibbles(const mma_job *job, const fpx_mma_operand *o, size_t base, size_t begin,
                           size_t count, unsigned char *to)
{
    const unsigned char *const codes = o->codes;

    for (size_t t = 0; t < count; t++) {
        const size_t at = base + k_at(job, begin + t) * o->stride_k;
        to[t] = codes[at / 2] >> (at % 2 * 4) & 15;
    }
}

/* Codes of 1, 2, 4 or 8 bytes; a copy of constant size is a load and a store. */
#define GATHER(SIZE)                                                                               \
    for (size_t t = 0; t < count; t++)                                                             \
    memcpy(to + t * (SIZE), from + k_at(job, begin + t) * o->stride_k * (SIZE), SIZE)

static void gather(const mma_job *job, const fpx_mma_operand *o, size_t base, size_t begin,
                   size_t count, unsigned char *to)
{
    const size_t size = fpx_format_size(&o->format);
    const unsigned char *const from = (const unsigned char *)o->codes + base * size;

    if (size == 1)
        GATHER(1);
    else if (size == 2)
        GATHER(2);
    else if (size == 4)
        GATHER(4);
    else
        GATHER(8);
}

static void scale(const mma_job *job, const fpx_mma_operand *o, size_t vector, size_t begin,
                  size_t count, float *values, int16_t *scale_e)
{
    for (size_t t = 0; t < count; t++) {
        const size_t at = vector * o->scale_stride_vector +
                          k_at(job, begin + t) / o->scale_block * o->scale_stride_k;
        const mma_number x =
            mma_number_of(&o->scale_format, fpx_format_code(&o->scale_format, o->scales, at));
        if (x.kind == MMA_NAN)
            values[t] = NAN;
        scale_e[t] = (int16_t)(x.kind == MMA_NAN ? 0 : x.e);
    }
}

void mma_codes(const mma_job *job, const fpx_mma_operand *o, size_t vector, size_t begin,
               size_t count, unsigned char *codes)
{
    if (o->packing == FPX_PACK_DENSE)
        gather_nibbles(job, o, vector * o->stride_vector, begin, count, codes);
    else
        gather(job, o, vector * o->stride_vector, begin, count, codes);
}

double mma_group_scale(const fpx_mma_operand *o, size_t vector, size_t group, int *ret_e)
{
    *ret_e = 0;
    if (o->scales == NULL)
        return 1.0;
    const size_t at =
        vector * o->scale_stride_vector + group * MMA_GROUP / o->scale_block * o->scale_stride_k;
    const uint64_t code = fpx_format_code(&o->scale_format, o->scales, at);
    const mma_number x = mma_number_of(&o->scale_format, code);

    if (x.kind == MMA_FINITE)
        *ret_e = x.m == 0 ? MMA_NO_EXPONENT : x.e;
    return fpx_format_value(&o->scale_format, code);
}

void mma_decode(const mma_job *job, const fpx_mma_operand *o, size_t vector, size_t begin,
                size_t count, float *values, int16_t *scale_e)
{
    const size_t size = fpx_format_size(&o->format);
    const int drops = job->model->drop > 0 && o->format.bits == 32 && o->format.mbits == 23;
    unsigned char codes[MMA_CHUNK * sizeof(uint32_t)];
    const void *from = codes;

    if (job->order == NULL && o->stride_k == 1 && o->packing != FPX_PACK_DENSE && !drops)
        from = (const unsigned char *)o->codes + (vector * o->stride_vector + begin) * size;
    else
        mma_codes(job, o, vector, begin, count, codes);
    for (size_t t = 0; drops && t < count; t++) {
        uint32_t code;
        memcpy(&code, codes + t * sizeof code, sizeof code);
        code = code >> job->model->drop << job->model->drop;
        memcpy(codes + t * sizeof code, &code, sizeof code);
    }
    (void)fpx_decode_f32(&o->format, 1.0f, from, values, count);
    if (o->scales != NULL)
        scale(job, o, vector, begin, count, values, scale_e);
}
