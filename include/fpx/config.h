/* fpx/config.h - experiments, recipes and matrix units: YAML files with a schema, read into plain structures. */
#ifndef FPX_CONFIG_H
#define FPX_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fpx_activation { FPX_SWIGLU, FPX_GELU } fpx_activation;

/* model: a decoder-only transformer over bytes. */
typedef struct fpx_model_config {
    uint32_t width;      /* C: a multiple of heads; head width C / heads even (rotary pairs) */
    uint32_t layers;     /* >= 1 */
    uint32_t heads;      /* H */
    uint32_t hidden;     /* F: width of the MLP */
    uint32_t vocabulary; /* V: 256 for bytes */
    uint32_t activation; /* fpx_activation: "swiglu", "gelu" */
    double norm_eps;     /* default 1e-5 */
    double rope_base;    /* default 10000 */
    double init_std;     /* default 0.02; projections into the residual stream / sqrt(2 layers) */
    /* Channels in which the norms of layers start 32 times as large, the weights behind them a 32nd: the same function.
     * 0 .. width, default 0. */
    uint32_t outliers;
    double
        dropout; /* default 0; of embedding, attention's probabilities and both outputs, in training */
} fpx_model_config;

/* text: windows that follow each other. instruct: a record a sequence, of whose tokens the response's are targets.
 * preference: a record two sequences, with the chosen and the rejected response; the loss is DPO's. */
typedef enum fpx_data_kind { FPX_DATA_TEXT, FPX_DATA_INSTRUCT, FPX_DATA_PREFERENCE } fpx_data_kind;

/* data: sequences of tokens that share none, drawn in an order that the seed gives. Either corpus or tokens. */
typedef struct fpx_data_config {
    char *corpus; /* a text; paths are made relative to the experiment file's folder when read */
    char *
        sha256; /* of corpus or tokens: 64 lower-case hexadecimal digits, checked; NULL: not checked */
    uint32_t sequence; /* T */
    uint32_t batch;    /* B sequences at a time */
    uint32_t
        accumulate; /* micro-batches of B sequences in a step; default 1; above it B is a power of two */
    double validation; /* share of the corpus, at its end, kept for evaluation; 0 .. 0.5 */
    char *tokens;      /* .npy of uint16 or uint32; NULL: corpus */
    char *tokenizer;   /* fpx/tokenizer.h's file; NULL: bytes are the tokens */
    uint32_t
        kind; /* fpx_data_kind: "text" (default), "instruct", "preference" (batch then is even) */
    double beta; /* of DPO; default 0.1; preference */
} fpx_data_config;

typedef enum fpx_optimizer { FPX_ADAMW, FPX_SGD, FPX_LION } fpx_optimizer;
typedef enum fpx_schedule { FPX_COSINE, FPX_LINEAR, FPX_WSD } fpx_schedule;

/* optimizer: the learning rate rises linearly over `warmup` steps, then follows the schedule to final_share *
 * learning_rate at the last step: a cosine, a line, or (wsd: warm-up, stable, decay) the peak and a line over
 * the last decay_share of the steps. A key of another kind or schedule is refused. */
typedef struct fpx_optimizer_config {
    uint32_t kind,
        schedule; /* "adamw" (default), "sgd", "lion"; "cosine" (default), "linear", "wsd" */
    double learning_rate, final_share; /* final_share default 0.1 */
    double decay_share;                /* of wsd; default 0.1 */
    uint32_t warmup;
    double beta1, beta2, eps; /* defaults 0.9, 0.95 (lion: 0.99), 1e-8; adamw, lion; eps: adamw */
    double momentum;          /* default 0.9; sgd */
    double weight_decay;      /* default 0.1; not on norm gains */
    double clip;              /* largest gradient norm, default 1; 0: no clipping */
} fpx_optimizer_config;

typedef struct fpx_experiment {
    char *name;
    fpx_model_config model;
    fpx_data_config data;
    fpx_optimizer_config optimizer;
    uint32_t steps;
    uint64_t seed;
    char *
        recipe; /* name of a shipped recipe, or a path ending in .yaml, made relative as corpus is */
    char *text; /* the file as read, for traces and checkpoints; not part of the schema */
} fpx_experiment;

/* One rule: where all four patterns match (shell wildcards), the operand is quantized as it says. */
typedef struct fpx_rule {
    char *layer;     /* "*", "0", "1*"; "-" is outside the layers (head), "-1" the last one */
    char *op;        /* "attn.qkv", "mlp.*" */
    char *role;      /* "fprop", "dgrad", "wgrad" */
    char *tensor;    /* "x", "w", "dy" */
    char *format;    /* "e4m3", any of fpx_format_parse; "fp32" leaves the operand as it is */
    char *scaling;   /* "none", "tensor-current", "mx-rceil", ...: docs/experiment-format.md */
    char *round;     /* "rne", "rna", "rz", "ru", "rd", "ro", "sr"; "rnz": ties to zero */
    char *overflow;  /* "satfinite", "satpropagate", "none" */
    char *transform; /* "hadamard-16", "hadamard-64-fresh"; NULL: none */
    /* Remedies of FP4 training, numbers as texts; NULL: none, or what docs/experiment-format.md says. */
    char *estimator;          /* "clip", of x and w in fprop; "dge", of w in fprop */
    char *k, *cap;            /* of dge; 5, 3 */
    char *clamp, *clamp_over; /* the quantile, of x in fprop; "tensor", "row", "column" */
    char *compensate;         /* "yes", "codes", "no" */
} fpx_rule;

/* Where all three patterns match, the product's sums are a matrix unit's. */
typedef struct fpx_unit_rule {
    char *layer, *op, *role; /* as above; "attn.scores" and "attn.context" are products too */
    char *unit;              /* "hopper/wgmma/fp8-fp32", with changes: fpx_mma_preset_parse */
} fpx_unit_rule;

/* Where all three patterns match, the optimizer's numbers of a parameter are stored as it says, between the operations
 * that use them in fp32. */
typedef struct fpx_state_rule {
    char *layer,
        *op;      /* as above, of the parameter: "attn.qkv", "attn.norm", "embed", "norm", "head" */
    char *tensor; /* "master", "grad", "m", "v" */
    char *format; /* as above */
    char *
        scaling; /* "none"; "tensor-pow2": fpx_scale_pow2, at every step; "ms-amp-exact"; "coat": of m and v */
    char *factor; /* of grad's scale: "main", "paper", "adaptive,freq=1"; NULL: none */
} fpx_state_rule;

/* The first rule that matches an operand decides; an operand that no rule matches stays fp32. */
typedef struct fpx_recipe {
    char *name;
    char *source; /* where its facts come from, for a person */
    fpx_rule *rules;
    unsigned nrules;
    fpx_unit_rule *units; /* may be absent: products no rule matches have the house's order */
    unsigned nunits;
    fpx_state_rule *states; /* may be absent: what no rule matches is fp32 */
    unsigned nstates;
    char *text; /* the file as read */
} fpx_recipe;

/* One change of a matrix unit: a field of fpx/mma.h ("fraction"), or "format", and its value ("14", "late", "bf16"). */
typedef struct fpx_unit_change {
    char *field;
    char *to;
} fpx_unit_change;

/* A matrix unit of one's own: a known one with changes. */
typedef struct fpx_unit {
    char *name;
    char *source;             /* from where it is known, for a person */
    char *like;               /* the name of the known one */
    fpx_unit_change *changes; /* may be absent: none */
    unsigned nchanges;
} fpx_unit;

/* Reads and checks a file: one YAML document of at most 1 MiB, without aliases. Keys are the members'
 * names; those with a default above and paths that can be NULL may be absent, an explicit 0 stays 0. FPX_EIO: cannot
 * be read. FPX_EFORMAT: malformed YAML, unknown, missing or repeated key, wrong type or a value out of
 * range; the text says file:line:column where there is one, what is wrong and what would be right.
 * *ret is to be freed by the function below. */
fpx_status fpx_experiment_read(const char *path, fpx_experiment **ret_experiment, fpx_error *err);
/* The same from a text: label stands for the file's name in errors and says from where paths are meant. */
fpx_status fpx_experiment_parse(const char *label, const char *text,
                                fpx_experiment **ret_experiment, fpx_error *err);
void fpx_experiment_free(fpx_experiment *experiment); /* NULL is fine */

/* The same for a recipe: from a file, or from text; label stands for the file's name in errors. */
fpx_status fpx_recipe_read(const char *path, fpx_recipe **ret_recipe, fpx_error *err);
fpx_status fpx_recipe_parse(const char *label, const char *text, fpx_recipe **ret_recipe,
                            fpx_error *err);
void fpx_recipe_free(fpx_recipe *recipe); /* NULL is fine */

/* The line, from 1, at which number `index`, from 0, of a list ("rule", "unit", "state") stands in the recipe's text; 0:
 * not found. */
size_t fpx_recipe_line(const fpx_recipe *recipe, const char *list, unsigned index);

/* The same for a matrix unit. What names and values mean is emul's to say. */
fpx_status fpx_unit_read(const char *path, fpx_unit **ret_unit, fpx_error *err);
fpx_status fpx_unit_parse(const char *label, const char *text, fpx_unit **ret_unit, fpx_error *err);
void fpx_unit_free(fpx_unit *unit); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif /* FPX_CONFIG_H */
