/* import.c - parameters from a file: one table says under which names of Llama's checkpoints a parameter's rows are.
 * Its arithmetic is this model's: RMSNorm, rotary pairs (i, i + D/2), gate before up, y = x W^T. All is looked at
 * before anything changes. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/file.h>
#include <fpx/safetensors.h>

#include "checkpoint_file.h"
#include "trainer_state.h"

enum { MAX_PARTS = 3, STRETCH = 4096 };

/* Parts follow each other along axis 0, in equal numbers of rows. */
typedef struct import_row {
    const char *param; /* after "layer.N/" where layered */
    int layered;
    const char *parts[MAX_PARTS + 1];
    const char *instead; /* of the only part, where the file lacks it: tied weights */
} import_row;

#define LAYER "model.layers.%u."
static const import_row rows[] = {
    { "embed/w", 0, { "model.embed_tokens.weight" }, NULL },
    { "attn.norm/gain", 1, { LAYER "input_layernorm.weight" }, NULL },
    { "attn.qkv/w",
      1,
      { LAYER "self_attn.q_proj.weight", LAYER "self_attn.k_proj.weight",
        LAYER "self_attn.v_proj.weight" },
      NULL },
    { "attn.out/w", 1, { LAYER "self_attn.o_proj.weight" }, NULL },
    { "mlp.norm/gain", 1, { LAYER "post_attention_layernorm.weight" }, NULL },
    { "mlp.up/w", 1, { LAYER "mlp.gate_proj.weight", LAYER "mlp.up_proj.weight" }, NULL },
    { "mlp.down/w", 1, { LAYER "mlp.down_proj.weight" }, NULL },
    { "norm/gain", 0, { "model.norm.weight" }, NULL },
    { "head/w", 0, { "lm_head.weight" }, "model.embed_tokens.weight" },
};

#define FEWER_LAYERS "model.layers of the experiment is lower, or it is no weight of Llama's"

/* Why a tensor of the file has no place; the first pattern that matches. */
static const struct {
    const char *pattern, *why; /* NULL: it is no parameter, nothing is lost */
} strangers[] = {
    { "*.rotary_emb.inv_freq", NULL },
    { "*wte.weight", "GPT-2's model has LayerNorm, biases and learned positions" },
    { "*wpe.weight", "GPT-2's model has LayerNorm, biases and learned positions" },
    { "*.c_attn.*", "GPT-2's model has LayerNorm, biases and learned positions" },
    { "*.bias", "products and norms here have no biases" },
    { "*.q_norm.*", "queries and keys are not normed here" },
    { "*.k_norm.*", "queries and keys are not normed here" },
    { "*experts*", "there is one MLP a layer here" },
    { "model.layers.*.input_layernorm.weight", FEWER_LAYERS },
    { "model.layers.*.post_attention_layernorm.weight", FEWER_LAYERS },
    { "*norm*", "a layer has two norms here, before attention and before the MLP" },
    { "model.layers.*", FEWER_LAYERS },
    { "*", "it is no parameter of this model, nor of Llama's" },
};

typedef struct importer {
    fpx_trainer *trainer;
    fpx_st_stream *stream;
    const char *path;
    const fpx_st_info *infos;
    size_t ninfos;
    unsigned char *used; /* for each tensor of the file */
    int ours;            /* it is a checkpoint of fpx train */
} importer;

static const fpx_st_info *find(const importer *in, const char *name)
{
    for (size_t i = 0; i < in->ninfos; i++)
        if (strcmp(in->infos[i].name, name) == 0) {
            in->used[i] = 1;
            return &in->infos[i];
        }
    return NULL;
}

static void shape_text(const uint64_t *shape, size_t ndim, char *ret_text, size_t room)
{
    ret_text[0] = '\0';
    for (size_t i = 0; i < ndim; i++) {
        const size_t at = strlen(ret_text);

        (void)snprintf(ret_text + at, room - at, "%s%llu", i ? ", " : "",
                       (unsigned long long)shape[i]);
    }
}

static fpx_status refuse_shape(const importer *in, const fpx_st_info *info,
                               const fpx_program_tensor *param, const uint64_t *shape,
                               fpx_error *err)
{
    char has[256], takes[256];

    shape_text(info->shape, info->ndim, has, sizeof has);
    shape_text(shape, param->desc.ndim, takes, sizeof takes);
    return fpx_error_set(err, FPX_EINVAL,
                         "%s: %s is %s [%s]; %s of the experiment's model takes F32, F16 or BF16 "
                         "[%s]%s",
                         in->path, info->name, info->dtype, has, param->name, takes,
                         strstr(param->name, "attn.qkv/") != NULL
                             ? " (every head has its own keys and values)"
                             : "");
}

/* Rows of a part into the parameter. */
static fpx_status copy_part(const importer *in, const fpx_st_info *info, float *to, fpx_error *err)
{
    unsigned char bytes[STRETCH * sizeof(float)];
    const size_t size = info->bits / 8;
    float scale[2] = { 1.0f, 1.0f };
    char name[FPX_NAME_MAX + 8];

    /* A checkpoint's codes: their factor stands beside them. */
    (void)snprintf(name, sizeof name, "%.*s.scale", FPX_NAME_MAX, info->name);
    const fpx_st_info *factor = find(in, name);
    if (factor != NULL && factor->bytes == sizeof scale) {
        const fpx_status status =
            fpx_st_stream_read(in->stream, factor, 0, scale, sizeof scale, err);

        if (status != FPX_OK)
            return status;
    }
    for (uint64_t at = 0; at < info->count; at += STRETCH) {
        const size_t n = info->count - at < STRETCH ? (size_t)(info->count - at) : STRETCH;
        const fpx_status status =
            fpx_st_stream_read(in->stream, info, at * size, bytes, n * size, err);

        if (status != FPX_OK)
            return status;
        (void)fpx_decode_f32(info->format, scale[1], bytes, to + at, n);
    }
    return FPX_OK;
}

/* Where a parameter's rows are in the file: under its own name, or in parts by Llama's. */
static fpx_status find_parts(const importer *in, const fpx_program_tensor *t,
                             const fpx_st_info *parts[MAX_PARTS], size_t *ret_n, fpx_error *err)
{
    const char *rest = t->layer < 0 ? t->name : strchr(t->name, '/') + 1;
    const import_row *row = rows, *const end = rows + sizeof rows / sizeof rows[0];
    char name[FPX_NAME_MAX] = "";
    size_t n = 0;

    if ((parts[0] = find(in, t->name)) != NULL) {
        *ret_n = 1;
        return FPX_OK;
    }
    while (row < end && (strcmp(row->param, rest) != 0 || row->layered != (t->layer >= 0)))
        row++;
    if (row == end)
        return fpx_error_set(err, FPX_EINVAL, "%s: has no %s", in->path, t->name);
    for (; row->parts[n] != NULL; n++) {
        const char *number = strstr(row->parts[n], "%u");

        if (number != NULL)
            (void)snprintf(name, sizeof name, "%.*s%d%s", (int)(number - row->parts[n]),
                           row->parts[n], t->layer, number + 2);
        else
            (void)snprintf(name, sizeof name, "%s", row->parts[n]);
        parts[n] = find(in, name);
        if (parts[n] == NULL && row->instead != NULL)
            parts[n] = find(in, row->instead);
        if (parts[n] == NULL)
            return fpx_error_set(err, FPX_EINVAL,
                                 "%s: has neither %s nor %s: a file of another model than the "
                                 "experiment's, or of another kind",
                                 in->path, t->name, name);
    }
    *ret_n = n;
    return FPX_OK;
}

/* Codes of 8 bits are a checkpoint's own: in others' files their scales have many forms. */
static int is_float(const importer *in, const fpx_st_info *info)
{
    return strcmp(info->dtype, "F32") == 0 || strcmp(info->dtype, "F16") == 0 ||
           strcmp(info->dtype, "BF16") == 0 ||
           (in->ours && info->format != NULL && info->bits == 8 &&
            info->format->cls == FPX_CLASS_FLOAT);
}

/* to: all its values; NULL: only looks. */
static fpx_status read_values(const importer *in, uint32_t index, float *to, fpx_error *err)
{
    const fpx_program_tensor *t = fpx_program_tensor_at(in->trainer->model->program, index);
    const fpx_st_info *parts[MAX_PARTS];
    uint64_t shape[FPX_MAX_DIMS];
    size_t n = 0;
    fpx_status status = find_parts(in, t, parts, &n, err);

    if (status == FPX_OK && n > 0) {
        memcpy(shape, t->desc.shape, sizeof shape);
        shape[0] /= n;
    }
    for (size_t i = 0; i < n && status == FPX_OK; i++) {
        const fpx_st_info *p = parts[i];

        if (!is_float(in, p) || t->desc.shape[0] % n != 0 || p->ndim != t->desc.ndim ||
            memcmp(p->shape, shape, p->ndim * sizeof *shape) != 0)
            return refuse_shape(in, p, t, shape, err);
        if (to != NULL) {
            status = copy_part(in, p, to, err);
            to += p->count;
        }
    }
    return status;
}

/* copy 0: only looks. */
static fpx_status take(const importer *in, uint32_t index, int copy, fpx_error *err)
{
    const fpx_program_tensor *t = fpx_program_tensor_at(in->trainer->model->program, index);
    const size_t n = fpx_tensor_count(&t->desc);
    float *values;

    if (!copy)
        return read_values(in, index, NULL, err);
    if ((values = malloc(n * sizeof *values)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", in->path);
    fpx_status status = read_values(in, index, values, err);
    if (status == FPX_OK &&
        (status = trainer_store_values(in->trainer, index, values, n)) != FPX_OK)
        (void)fpx_error_set(err, status, "%s: %s cannot be stored as %s", in->path, t->name,
                            t->desc.format.name);
    free(values);
    return status;
}

/* Nothing of a foreign model may be left out; a checkpoint of fpx train also holds an optimizer's state. */
static fpx_status check_rest(const importer *in, fpx_error *err)
{
    for (size_t i = 0; i < in->ninfos; i++) {
        size_t k = 0;

        while (fnmatch(strangers[k].pattern, in->infos[i].name, 0) != 0)
            k++;
        if (!in->used[i] && strangers[k].why != NULL)
            return fpx_error_set(err, FPX_EUNSUPPORTED, "%s: %s has no place in this model: %s",
                                 in->path, in->infos[i].name, strangers[k].why);
    }
    return FPX_OK;
}

static int is_ours(const fpx_st_stream *stream)
{
    size_t n = 0;
    const fpx_st_pair *pairs = fpx_st_stream_pairs(stream, &n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i].key, CHECKPOINT_STEP) == 0)
            return 1;
    return 0;
}

static fpx_status import_all(const importer *in, fpx_error *err)
{
    const fpx_program *program = in->trainer->model->program;
    fpx_status status = FPX_OK;

    for (size_t i = 0; i < in->ninfos && !in->ours; i++) /* before its parameters are missed */
        if (fnmatch("*.c_attn.*", in->infos[i].name, 0) == 0)
            return check_rest(in, err);
    for (int copy = 0; copy < 2 && status == FPX_OK; copy++) {
        for (size_t i = 0; i < fpx_program_tensors(program) && status == FPX_OK; i++)
            if (fpx_program_tensor_at(program, i)->cls == FPX_TENSOR_PARAM)
                status = take(in, (uint32_t)i, copy, err);
        if (status == FPX_OK && !in->ours)
            status = check_rest(in, err);
    }
    return status;
}

/* What checkpoints of this run tell their start by: a digest of all parameters and their scales, in
 * program order. */
static void sign(fpx_trainer *t)
{
    const fpx_program *program = t->model->program;
    char all[64 + 65] = "", sum[65] = ""; /* so far, then of this one */

    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const fpx_program_tensor *p = fpx_program_tensor_at(program, i);

        if (p->cls != FPX_TENSOR_PARAM && p->cls != FPX_TENSOR_STATE_SCALE)
            continue;
        memcpy(all, sum, 64);
        fpx_sha256_text(fpx_exec_data(t->exec, (uint32_t)i), fpx_tensor_bytes(&p->desc), all + 64);
        fpx_sha256_text(all, 128, sum);
    }
    (void)snprintf(t->start, sizeof t->start, "%.8s", sum);
}

fpx_status fpx_trainer_import(fpx_trainer *trainer, const char *checkpoint, fpx_error *err)
{
    char path[CHECKPOINT_PATH];
    importer in = { .trainer = trainer, .path = path };
    fpx_status status = checkpoint_find(checkpoint, path, err);

    if (trainer->next_step > 0)
        return fpx_error_set(err, FPX_EINVAL, "%s: parameters are set before the first step",
                             checkpoint);
    if (status == FPX_OK)
        status = fpx_st_stream_open(path, &in.stream, err);
    if (status != FPX_OK)
        return status;
    in.infos = fpx_st_stream_infos(in.stream, &in.ninfos);
    in.ours = is_ours(in.stream);
    if ((in.used = calloc(in.ninfos + 1, 1)) == NULL)
        status = fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    else
        status = import_all(&in, err);
    if (status == FPX_OK) {
        sign(trainer);
        trainer->prepared = 0; /* by other parameters */
    }
    free(in.used);
    fpx_st_stream_close(in.stream);
    return status;
}
