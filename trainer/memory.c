/* memory.c - what fills the arena: each tensor is of one kind, by what makes it and who reads it; its span in the plan
 * says when it counts. */
#include <stdlib.h>
#include <string.h>

#include "trainer_state.h"

typedef struct accounts {
    const fpx_trainer *t;
    const fpx_program *program;
    unsigned char *kind, *readers;        /* of each tensor */
    int64_t (*change)[FPX_MEMORY_KINDS];  /* of bytes, at each operation */
    int64_t (*aligned)[FPX_MEMORY_KINDS]; /* the same in whole lines */
} accounts;

static int ends(const char *name, size_t length, const char *end)
{
    const size_t n = strlen(end);

    return length > n && memcmp(name + length - n, end, n) == 0;
}

static int is_history(const char *name)
{
    return ends(name, strlen(name), ".history");
}

/* "embed/w.m.scale" belongs to "embed/w.m". */
static fpx_memory_kind lasting_kind(const char *name)
{
    size_t length = strlen(name);

    length -= ends(name, length, ".scale") ? 6 : 0;
    length -= ends(name, length, ".groups") ? 7 : 0;
    if (ends(name, length, ".factor")) /* of a stored gradient's scale */
        return FPX_MEMORY_GRADIENT;
    return ends(name, length, ".m")   ? FPX_MEMORY_M
           : ends(name, length, ".v") ? FPX_MEMORY_V
                                      : FPX_MEMORY_MASTER;
}

/* What a quantizer is told beside its operand: where random bits are, the amax of earlier steps. */
static int is_aside(const accounts *a, uint32_t tensor)
{
    const char *name = fpx_program_tensor_at(a->program, tensor)->name;

    return is_history(name) || tensor == a->t->model->micro[0].draw;
}

static int is_of_parameters(const accounts *a, const fpx_program_op *op)
{
    for (uint32_t i = 0; i < op->nin; i++)
        if (!is_aside(a, op->in[i]) && a->kind[op->in[i]] != FPX_MEMORY_MASTER &&
            a->kind[op->in[i]] != FPX_MEMORY_COMPUTE)
            return 0;
    return op->role != FPX_OPTIMIZER;
}

/* Whether the optimizer, or a later micro-batch, reads what an earlier part of the step has made. */
static int is_gradient(const accounts *a, uint32_t tensor)
{
    const fpx_model *m = a->t->model;
    uint32_t first, last;

    fpx_exec_span(a->t->exec, tensor, &first, &last);
    for (uint32_t i = 0; i < m->accumulate; i++)
        if (first < m->micro[i].end && m->micro[i].end <= last)
            return 1;
    return 0;
}

static fpx_memory_kind kind_of(const accounts *a, uint32_t tensor, const fpx_program_op *by)
{
    const fpx_program_tensor *t = fpx_program_tensor_at(a->program, tensor);

    if (is_history(t->name))
        return FPX_MEMORY_WORK;
    if (fpx_tensor_class_lasts(t->cls))
        return lasting_kind(t->name);
    if (by == NULL)
        return FPX_MEMORY_WORK;
    if (is_of_parameters(a, by))
        return FPX_MEMORY_COMPUTE;
    if (t->cls == FPX_TENSOR_ACTIVATION)
        return FPX_MEMORY_ACTIVATION;
    return by->role != FPX_OPTIMIZER && is_gradient(a, tensor) ? FPX_MEMORY_GRADIENT
                                                               : FPX_MEMORY_WORK;
}

/* What is made of parameters only to be quantized is no copy that a product reads: fp32 between operations. */
static void find_steps_between(accounts *a)
{
    enum { READ = 1, BY_PRODUCTS = 2 };

    for (size_t op = 0; op < fpx_program_ops(a->program); op++) {
        const fpx_program_op *by = fpx_program_op_at(a->program, op);

        for (uint32_t i = 0; i < by->nin; i++)
            a->readers[by->in[i]] |= is_of_parameters(a, by) ? READ : READ | BY_PRODUCTS;
    }
    for (uint32_t i = 0; i < fpx_program_tensors(a->program); i++)
        if (a->kind[i] == FPX_MEMORY_COMPUTE && a->readers[i] == READ &&
            !fpx_tensor_class_scales(fpx_program_tensor_at(a->program, i)->cls))
            a->kind[i] = FPX_MEMORY_WORK;
}

/* In the order in which tensors are made: what something is made of has its kind before. */
static void find_kinds(accounts *a)
{
    for (uint32_t i = 0; i < fpx_program_tensors(a->program); i++)
        a->kind[i] = (unsigned char)kind_of(a, i, NULL);
    for (size_t op = 0; op < fpx_program_ops(a->program); op++) {
        const fpx_program_op *by = fpx_program_op_at(a->program, op);

        for (uint32_t o = 0; o < by->nout; o++)
            a->kind[by->out[o]] = (unsigned char)kind_of(a, by->out[o], by);
    }
    find_steps_between(a);
}

static void enter(accounts *a)
{
    for (uint32_t i = 0; i < fpx_program_tensors(a->program); i++) {
        const uint64_t bytes = fpx_tensor_bytes(&fpx_program_tensor_at(a->program, i)->desc);
        const size_t kind = a->kind[i];
        uint32_t first, last;

        fpx_exec_span(a->t->exec, i, &first, &last);
        a->change[first][kind] += (int64_t)bytes;
        a->change[last + 1][kind] -= (int64_t)bytes;
        a->aligned[first][kind] += (int64_t)((bytes + 63) / 64 * 64);
        a->aligned[last + 1][kind] -= (int64_t)((bytes + 63) / 64 * 64);
    }
}

static void sum_up(const accounts *a, fpx_memory *m)
{
    uint64_t now[FPX_MEMORY_KINDS] = { 0 }, lines[FPX_MEMORY_KINDS] = { 0 }, largest = 0;

    for (uint32_t op = 0; op < fpx_program_ops(a->program); op++) {
        uint64_t all = 0;

        for (size_t k = 0; k < FPX_MEMORY_KINDS; k++) {
            now[k] += (uint64_t)a->change[op][k];
            lines[k] += (uint64_t)a->aligned[op][k];
            all += lines[k];
            m->most[k] = now[k] > m->most[k] ? now[k] : m->most[k];
        }
        if (all > largest) {
            largest = all;
            m->fullest = op;
            memcpy(m->together, lines, sizeof lines);
        }
    }
    m->gap = m->arena - largest;
}

fpx_status fpx_trainer_memory(fpx_trainer *trainer, fpx_memory *ret_memory, fpx_error *err)
{
    const fpx_program *program = trainer->model->program;
    const size_t nops = fpx_program_ops(program);
    accounts a = { .t = trainer, .program = program };
    fpx_memory m = { .parameters = trainer->model->parameters };
    fpx_status status = FPX_OK;

    if (fpx_corpus_valid_batches(trainer->corpus) > 0 || trainer->reference != NULL)
        status = trainer_prepare_evaluation(trainer, err);
    if (status != FPX_OK)
        return status;
    a.kind = calloc(fpx_program_tensors(program) + 1, 1);
    a.readers = calloc(fpx_program_tensors(program) + 1, 1);
    a.change = calloc(nops + 2, sizeof *a.change);
    a.aligned = calloc(nops + 2, sizeof *a.aligned);
    if (a.kind == NULL || a.readers == NULL || a.change == NULL || a.aligned == NULL) {
        status = fpx_error_set(err, FPX_ENOMEM, "memory: out of memory");
    } else {
        m.arena = fpx_exec_arena_bytes(trainer->exec);
        m.evaluation = trainer->eval_exec ? fpx_exec_arena_bytes(trainer->eval_exec) : 0;
        m.corpus = fpx_corpus_bytes(trainer->corpus) +
                   fpx_corpus_train_steps(trainer->corpus) * trainer->experiment->data.batch *
                       sizeof(size_t) +
                   preference_count(trainer) * sizeof *trainer->reference;
        find_kinds(&a);
        enter(&a);
        sum_up(&a, &m);
        *ret_memory = m;
    }
    free(a.kind);
    free(a.readers);
    free(a.change);
    free(a.aligned);
    return status;
}
