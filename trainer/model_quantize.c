/* model_quantize.c - the quantized copy of an operand as the recipe says: its scale, its blocks, its random bits. An operand
 * that two roles quantize alike is quantized once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <fpx/block.h>

#include "model_build.h"

/* One quantized copy of an operand, as a rule has it. */
typedef struct copy {
    const linear *l;
    fpx_role role;
    const char *tensor; /* "x", "w", "dy" */
    char stem[16];      /* the same, or "x.h16" */
    uint32_t source;
    fpx_operand_rule rule;
    int k_axis; /* of the stored matrix: what the product sums over */
    char name[4 * FPX_NAME_MAX];
} copy;

static const char *round_suffix(uint32_t round)
{
    static const char *const suffix[] = { "", ".rna", ".rz", ".ru", ".rd", ".ro", ".sr" };

    return suffix[round];
}

/* A weight's copy is the same for every micro-batch, unless its source or its signs are not. */
static int is_shared(const build *b, const copy *c)
{
    return strcmp(c->tensor, "w") == 0 && c->rule.fresh != FPX_FRESH_PASS &&
           !build_is_own(b, c->source);
}

static void copy_site(const build *b, const copy *c, char ret_site[FPX_NAME_MAX])
{
    if (is_shared(b, c))
        build_shared_site(c->l->layer, c->l->op, ret_site);
    else
        build_site(b, c->l->layer, c->l->op, ret_site);
}

/* Characters of this copy's site with the largest numbers that the model has in training: evaluation has the same names. */
static int widest_site(const build *b, const copy *c)
{
    const int micro = is_shared(b, c) || b->step_micros < 2
                          ? 0
                          : snprintf(NULL, 0, "micro.%u/", (unsigned)(b->step_micros - 1));
    const int layer = c->l->layer < 0 ? 0 : snprintf(NULL, 0, "layer.%d/", b->layers - 1);

    return micro + layer + (int)strlen(c->l->op);
}

/* "x" of fprop and wgrad is the same tensor: where their rules agree, so is the quantized copy. The
 * name holds all that a rule says (left out where usual: rounding to nearest even; below 16 bits scaled and saturating,
 * else neither), and the direction where blocks or a rotation have one, so finding the name is finding the copy. Where it
 * would be too long for the last layer of the last micro-batch, the scaling's tag stands for its word in all of them, and
 * where that is too long too, 40 bits of a digest for all but stem and direction: an operand has a handful of copies,
 * of which two are taken for one with a chance below 2^-36. That always fits: micro.1023/ and layer.681/ (the most that
 * config_values.c and BUILD_MAX_PARAMS leave), mlp.down/, dy.h128f, a dot and ten digits, .row, /quantize are 61. */
static void name_copy(const build *b, copy *c)
{
    const fpx_operand_rule *r = &c->rule;
    const int narrow = r->conversion.format.bits < 16;
    const int open = r->conversion.overflow != FPX_SATFINITE;
    const int one_way = r->hadamard != 0 || (r->profile != NULL && r->along != r->across);
    const char *const way = !one_way ? "" : (c->k_axis == 1 ? ".row" : ".col");
    const int worded = r->profile != NULL || r->delayed;
    const char *const unworded = r->scaled == narrow ? "" : (r->scaled ? ".scaled" : ".cast");
    const char *const words[] = { worded ? r->scaling : unworded, worded ? r->tag : unworded };
    const int room = FPX_NAME_MAX - 1 - widest_site(b, c) - (int)strlen("/quantize");
    const char *const bounds = open == !narrow ? "" : (open ? ".open" : ".saturated");
    const char *const round = r->ties_to_zero ? ".rnz" : round_suffix(r->conversion.round);
    char site[FPX_NAME_MAX], own[2 * FPX_NAME_MAX];
    int length = room + 1;

    for (size_t i = 0; i < 2 && length > room; i++)
        length = snprintf(own, sizeof own, "/%s.%s%s%s%s%s%s", c->stem, r->conversion.format.name,
                          worded ? "." : "", words[i], way, bounds, round);
    if (length > room) {
        (void)snprintf(own, sizeof own, "%s%s%s%s", r->conversion.format.name, words[0], bounds,
                       round);
        const uint64_t digest = build_random_site(own) & UINT64_C(0xffffffffff);

        (void)snprintf(own, sizeof own, "/%s.%010" PRIx64 "%s", c->stem, digest, way);
    }
    copy_site(b, c, site);
    (void)snprintf(c->name, sizeof c->name, "%s%s", site, own);
}

static uint64_t hashed_site(const copy *c, const char *what, const char *where)
{
    char text[FPX_NAME_MAX + 16], site[FPX_NAME_MAX];

    build_shared_site(c->l->layer, c->l->op, site);
    (void)snprintf(text, sizeof text, "%s/%s.%s", site, what, where);
    return build_random_site(text);
}

/* The random bits of a copy: the same whatever format or scaling the rule asks for. */
static uint64_t random_site(const copy *c)
{
    return hashed_site(c, c->tensor, c->k_axis == 1 ? "row" : "col");
}

/* The operand rotated in blocks along k: with the same signs for both operands of a product, which cancel there. Signs that
 * are new with each step are those of its first micro-batch, since all share the weights; those that are new with each pass
 * are the same for all products of a layer in it. */
static uint32_t rotated(build *b, const copy *c, uint32_t source)
{
    static const char *const roles[FPX_ROLES] = { "fprop", "dgrad", "wgrad", "", "" };
    const fpx_operand_rule *r = &c->rule;
    const char *const where = r->fresh == FPX_FRESH_PASS ? "pass" : roles[c->role];
    const fpx_program_tensor from = *fpx_program_tensor_at(b->program, source);
    const fpx_attr attr = { .hadamard = { .size = r->hadamard,
                                          .axis = (uint32_t)c->k_axis,
                                          .seed = b->seed,
                                          .site = hashed_site(c, "signs", where),
                                          .signs = r->signs } };
    char site[FPX_NAME_MAX], name[FPX_NAME_MAX + 24];
    uint32_t y;

    copy_site(b, c, site);
    (void)snprintf(name, sizeof name, "%s/%s.%s", site, c->stem, c->k_axis == 1 ? "row" : "col");
    if ((y = fpx_program_find_tensor(b->program, name)) != FPX_NO_TENSOR)
        return y;
    if (b->status == FPX_OK && from.desc.shape[c->k_axis] % r->hadamard != 0)
        b->status =
            fpx_error_set(b->err, FPX_EINVAL,
                          "recipe %s: its transform's size %u does not divide the %llu "
                          "elements along k of %s: take widths that are multiples of %u, "
                          "or transform none there",
                          b->recipe->name, r->hadamard,
                          (unsigned long long)from.desc.shape[c->k_axis], name, r->hadamard);
    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    const uint32_t draw = r->fresh == FPX_FRESH_NEVER
                              ? FPX_NO_TENSOR
                              : build_draw(b, r->fresh == FPX_FRESH_STEP ? 0 : b->micro);
    y = build_tensor(b, c->l->layer,
                     from.cls == FPX_TENSOR_GRADIENT ? FPX_TENSOR_GRADIENT : FPX_TENSOR_ACTIVATION,
                     &fpx_fp32, (uint64_t[4]){ from.desc.shape[0], from.desc.shape[1], 0, 0 }, "%s",
                     name);
    build_op(b, c->l->layer, FPX_OP_HADAMARD, c->role, name, "transform",
             (uint32_t[]){ source, draw, FPX_NO_TENSOR }, (uint32_t[]){ y, FPX_NO_TENSOR }, &attr);
    return y;
}

/* Transformer Engine moves the histories of x and dy on with each micro-batch's pass, but a weight's FP8 copy is made
 * with the first alone (is_first_microbatch): the others leave a 0 in its history, which so holds fewer steps. */
static uint64_t window_of(const build *b, const copy *c)
{
    const uint32_t window = c->rule.window;

    if (!is_shared(b, c) || c->rule.delayed_rule != FPX_DELAYED_TE)
        return window;
    return window > b->step_micros ? window / b->step_micros : 1;
}

/* Micro-batches hand a history on, and the last one's is the state; this one's input and output of it. The state starts
 * at 0: no scale and no amax yet. */
static void add_history(build *b, const copy *c, uint32_t *ret_before, uint32_t *ret_after)
{
    const int first = is_shared(b, c) || b->micro == 0;
    const int last = is_shared(b, c) || b->micro + 1 == b->accumulate;
    const char *const own = c->name + (is_shared(b, c) ? 0 : strlen(b->prefix));
    const uint64_t *const shape = (uint64_t[4]){ 2 + window_of(b, c), 0, 0, 0 };
    char name[5 * FPX_NAME_MAX], before[6 * FPX_NAME_MAX];
    uint32_t state;

    (void)snprintf(name, sizeof name, "%s.history", own);
    if (first)
        state = build_tensor(b, c->l->layer, FPX_TENSOR_STATE, &fpx_fp32, shape, "%s", name);
    else
        state = fpx_program_find_tensor(b->program, name);
    (void)snprintf(before, sizeof before, "micro.%u/%s", b->micro - 1, name);
    *ret_before = first ? state : fpx_program_find_tensor(b->program, before);
    *ret_after = last ? state
                      : build_tensor(b, c->l->layer, FPX_TENSOR_SCALE, &fpx_fp32, shape,
                                     "%s.history", c->name);
}

static uint32_t add_delayed_scale(build *b, const copy *c)
{
    const int whole = is_shared(b, c) || c->rule.delayed_rule == FPX_DELAYED_TE;
    const uint32_t later = b->micro > 0 ? FPX_PART_LATER : 0;
    const uint32_t open = b->micro + 1 < b->accumulate ? FPX_PART_OPEN : 0;
    const fpx_attr attr = { .delayed = { .target = c->rule.conversion.format,
                                         .rule = (uint32_t)c->rule.delayed_rule,
                                         .part = whole ? 0 : later | open } };
    uint32_t before = FPX_NO_TENSOR, after = FPX_NO_TENSOR;

    add_history(b, c, &before, &after);
    const uint32_t scale = build_tensor(b, c->l->layer, FPX_TENSOR_SCALE, &fpx_fp32,
                                        (uint64_t[4]){ 2, 0, 0, 0 }, "%s.scale", c->name);

    build_op(b, c->l->layer, FPX_OP_SCALE_DELAYED, c->role, c->name, "scale",
             (uint32_t[]){ before, c->source, FPX_NO_TENSOR },
             (uint32_t[]){ after, scale, FPX_NO_TENSOR }, &attr);
    return scale;
}

static uint32_t add_scale(build *b, const copy *c)
{
    fpx_attr attr = { .scale = { .target = c->rule.conversion.format,
                                 .rule = (uint32_t)c->rule.scale_rule } };
    uint32_t scale;

    if (c->rule.profile != NULL)
        (void)snprintf(attr.scale.profile, FPX_PROFILE_MAX, "%s", c->rule.profile);
    scale = build_tensor(b, c->l->layer, FPX_TENSOR_SCALE, &fpx_fp32, (uint64_t[4]){ 2, 0, 0, 0 },
                         "%s.scale", c->name);
    build_op(b, c->l->layer, FPX_OP_SCALE, c->role, c->name, "scale",
             (uint32_t[]){ c->source, FPX_NO_TENSOR }, (uint32_t[]){ scale, FPX_NO_TENSOR }, &attr);
    return scale;
}

/* The matrix of scales, one for each block of the stored matrix; `scale` is their own. */
static uint32_t add_block_scales(build *b, const copy *c, const uint64_t block[2], fpx_tensor *desc,
                                 uint32_t scale)
{
    uint64_t grid[FPX_MAX_DIMS];
    uint32_t scales = FPX_NO_TENSOR;
    fpx_blocking blocking;

    (void)fpx_blocking_find(c->rule.profile, &blocking); /* fpx_recipe_operand has found it */
    fpx_program_tensor t = {
        .cls = FPX_TENSOR_SCALE, .layer = c->l->layer, .scale = scale, .unquantized = FPX_NO_TENSOR
    };
    desc->nscales = 1;
    desc->scale[0].format = *fpx_blocking_scale_format(&blocking);
    memcpy(desc->scale[0].block, block, 2 * sizeof block[0]);
    (void)fpx_tensor_scales(desc, 0, grid);
    b->status =
        build_name_status(b, snprintf(t.name, sizeof t.name, "%s.scales", c->name), c->name);
    if (b->status == FPX_OK)
        b->status = fpx_tensor_make(&desc->scale[0].format, 2, grid, &t.desc);
    if (b->status == FPX_OK)
        b->status = fpx_program_add_tensor(b->program, &t, &scales, b->err);
    return scales;
}

static void add_quantizer(build *b, const copy *c, uint32_t scale, uint32_t *ret_codes)
{
    const fpx_operand_rule *r = &c->rule;
    const int random = r->conversion.round == FPX_SR, blocks = r->profile != NULL;
    const fpx_op_kind kinds[2][2] = { { FPX_OP_QUANTIZE, FPX_OP_QUANTIZE_RANDOM },
                                      { FPX_OP_QUANTIZE_BLOCK, FPX_OP_QUANTIZE_BLOCK_RANDOM } };
    const uint64_t block[2] = { c->k_axis == 0 ? r->along : r->across,
                                c->k_axis == 0 ? r->across : r->along };
    const fpx_program_tensor *from = fpx_program_tensor_at(b->program, c->source);
    fpx_program_tensor t = { .desc = from->desc,
                             .cls = from->cls == FPX_TENSOR_GRADIENT ? FPX_TENSOR_GRADIENT
                                                                     : FPX_TENSOR_ACTIVATION,
                             .layer = c->l->layer,
                             .scale = scale,
                             .unquantized = c->source };
    uint32_t scales = FPX_NO_TENSOR, in[4], n = 0;
    fpx_attr attr = { .quantize = { .round = r->conversion.round,
                                    .overflow = r->conversion.overflow,
                                    .seed = random ? b->seed : 0,
                                    .site = random ? random_site(c) : 0 } };

    t.desc.format = r->conversion.format;
    if (blocks) {
        t.scale = scales = add_block_scales(b, c, block, &t.desc, scale);
        attr = (fpx_attr){ .block = { .round = r->conversion.round,
                                      .overflow = r->conversion.overflow,
                                      .block = { block[0], block[1] },
                                      .seed = random ? b->seed : 0,
                                      .site = random ? random_site(c) : 0,
                                      .ties_to_zero = (uint32_t)r->ties_to_zero } };
        (void)snprintf(attr.block.profile, FPX_PROFILE_MAX, "%s", r->profile);
    }
    if (b->status != FPX_OK)
        return;
    if (build_name_status(b, snprintf(t.name, sizeof t.name, "%s", c->name), c->name) != FPX_OK)
        return;
    b->status = fpx_program_add_tensor(b->program, &t, ret_codes, b->err);
    in[n++] = c->source;
    if (random)
        in[n++] = build_draw(b, b->micro);
    in[n++] = scale;
    in[n] = FPX_NO_TENSOR;
    build_op(b, c->l->layer, kinds[blocks][random], c->role, c->name, "quantize", in,
             (uint32_t[]){ *ret_codes, scales, FPX_NO_TENSOR }, &attr);
}

uint32_t build_quantized(build *b, const linear *l, fpx_role role, const char *tensor, int k_axis,
                         uint32_t source)
{
    copy c = { .l = l, .role = role, .tensor = tensor, .k_axis = k_axis, .source = source };
    uint32_t scale = FPX_NO_TENSOR, codes = FPX_NO_TENSOR;

    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    b->status = fpx_recipe_operand(b->recipe, l->layer, b->layers, l->op, role, tensor, b->used,
                                   &c.rule, b->err);
    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    (void)snprintf(c.stem, sizeof c.stem, "%s", tensor);
    if (c.rule.clamp > 0.0) {
        (void)snprintf(c.stem, sizeof c.stem, "%s.clamp", tensor);
        c.source = build_clamped(b, l, &c.rule, source);
    } else if (c.rule.hadamard != 0) {
        (void)snprintf(c.stem, sizeof c.stem, "%s.h%u%s", tensor, c.rule.hadamard,
                       c.rule.signs == FPX_SIGNS_NONE    ? "n"
                       : c.rule.signs == FPX_SIGNS_AFTER ? "a"
                       : c.rule.fresh                    ? "f"
                                                         : "");
        c.source = rotated(b, &c, source);
    }
    if (b->status != FPX_OK || !c.rule.quantized)
        return c.source;
    name_copy(b, &c);
    if (strlen(c.name) < FPX_NAME_MAX &&
        (codes = fpx_program_find_tensor(b->program, c.name)) != FPX_NO_TENSOR)
        return codes;
    if (c.rule.scaled)
        scale = c.rule.delayed ? add_delayed_scale(b, &c) : add_scale(b, &c);
    if (b->status == FPX_OK)
        add_quantizer(b, &c, scale, &codes);
    return codes;
}
