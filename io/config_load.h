/* config_load.h - a YAML text into a structure by a libcyaml schema, with errors for a person; and the
 * schemas there are. */
#ifndef IO_CONFIG_LOAD_H
#define IO_CONFIG_LOAD_H

#include <cyaml/cyaml.h>
#include <stddef.h>

#include <fpx/config.h>

/* An experiment as its texts: numbers are read by config_values.c, which is stricter than libcyaml ("64x",
 * -1 as unsigned) and tells an absent key (NULL) from an explicit 0. Member names are the keys. */
typedef struct io_experiment_texts {
    char *name;
    struct io_model_texts {
        char *width, *layers, *heads, *hidden, *vocabulary, *activation;
        char *norm_eps, *rope_base, *init_std, *outliers, *dropout;
    } model;
    struct io_data_texts {
        char *corpus, *sha256, *sequence, *batch, *accumulate, *validation;
        char *tokens, *tokenizer, *kind, *beta;
    } data;
    struct io_optimizer_texts {
        char *kind, *schedule, *learning_rate, *final_share, *decay_share, *warmup, *beta1, *beta2,
            *eps;
        char *momentum, *weight_decay, *clip;
    } optimizer;
    char *steps, *seed, *recipe;
} io_experiment_texts;

extern const cyaml_schema_value_t io_experiment_schema; /* io_experiment_texts */
extern const cyaml_schema_value_t io_recipe_schema;     /* fpx_recipe, all but its text */
extern const cyaml_schema_value_t io_unit_schema;       /* fpx_unit */

enum { IO_CONFIG_BYTES = 1 << 20 }; /* a person's file; the shipped ones have less than 2 KiB */
enum { IO_CONFIG_TEXT = 4096 };     /* the longest of its texts */

/* The text of a file of at most IO_CONFIG_BYTES, for the caller to free. */
fpx_status io_config_text(const char *path, char **ret_text, size_t *ret_count, fpx_error *err);

/* A relative *name is meant from the folder of the file that holds it: it becomes one. FPX_ENOMEM. */
fpx_status io_config_relative(const char *file, char **name, fpx_error *err);
/* A path that ends in .yaml, not the name of a shipped recipe? */
int io_is_recipe_file(const char *recipe);

/* text: count bytes and a zero byte. *ret_data, all of it allocated by malloc, is for io_config_free. */
fpx_status io_config_load(const char *label, const char *text, size_t count,
                          const cyaml_schema_value_t *schema, void **ret_data, fpx_error *err);
void io_config_free(const cyaml_schema_value_t *schema, void *data);

/* Texts to values and defaults, each checked. ret_experiment: zeroed; what was filled on failure is the
 * caller's to free. */
fpx_status io_experiment_fill(const char *label, const char *text, const io_experiment_texts *texts,
                              fpx_experiment *ret_experiment, fpx_error *err);

#endif /* IO_CONFIG_LOAD_H */
