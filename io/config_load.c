/* config_load.c - libcyaml reads, this file explains: from libcyaml's log come the kind of the fault and
 * the path to it, from yaml_scan.c the place of that path in the text. */
#include "config_load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quote.h"
#include "yaml_scan.h"

enum { MAX_STEPS = 8 }; /* a path of a schema here has at most 3 steps */

/* One step of a path, as libcyaml's backtrace names it: a key, an index, or neither (a mapping of which no
 * key was read). */
typedef struct step {
    char key[64];
    unsigned long entry; /* from 1, of a sequence; 0: this is no sequence */
} step;

/* What libcyaml logged about one failure. */
typedef struct report {
    char message[512];
    step steps[MAX_STEPS]; /* innermost first */
    size_t nsteps;
} report;

/* The word between the first two apostrophes. */
static void quoted_word(const char *line, char *ret_word, size_t room)
{
    const char *from = strchr(line, '\'');
    const char *to = from != NULL ? strchr(from + 1, '\'') : NULL;

    if (to != NULL)
        (void)snprintf(ret_word, room, "%.*s", (int)(to - from - 1), from + 1);
}

static void take_log(cyaml_log_t level, void *context, const char *format, va_list args)
{
    static const char in[] = "  in ", in_entry[] = "  in sequence entry ", load[] = "Load: ";
    report *r = context;
    char line[sizeof r->message];

    (void)level;
    (void)vsnprintf(line, sizeof line, format, args);
    for (size_t n = strlen(line); n > 0 && line[n - 1] == '\n'; n--)
        line[n - 1] = '\0';
    if (strncmp(line, in, sizeof in - 1) == 0) {
        if (r->nsteps == MAX_STEPS)
            return;
        step *s = &r->steps[r->nsteps++];
        quoted_word(line, s->key, sizeof s->key);
        if (strncmp(line, in_entry, sizeof in_entry - 1) == 0)
            s->entry = strtoul(s->key, NULL, 10);
    } else if (r->message[0] == '\0') {
        const size_t skip = strncmp(line, load, sizeof load - 1) == 0 ? sizeof load - 1 : 0;
        memcpy(r->message, line + skip, strlen(line + skip) + 1);
    }
}

/* libcyaml's contract: size 0 frees. */
static void *memory(void *context, void *block, size_t size)
{
    (void)context;
    if (size > 0)
        return realloc(block, size);
    free(block);
    return NULL;
}

static cyaml_config_t config_for(report *r)
{
    return (cyaml_config_t){ .log_fn = r != NULL ? take_log : NULL,
                             .log_ctx = r,
                             .log_level = CYAML_LOG_ERROR,
                             .mem_fn = memory,
                             .flags = CYAML_CFG_NO_ALIAS };
}

static const cyaml_schema_value_t *field_of(const cyaml_schema_value_t *mapping, const char *key)
{
    for (const cyaml_schema_field_t *f = mapping->mapping.fields; f->key != NULL; f++) {
        if (strcmp(f->key, key) == 0)
            return &f->value;
    }
    return NULL;
}

/* Follows the steps from the outermost to steps[inner]: the path as text, and the schema at its end. */
static const cyaml_schema_value_t *follow(const report *r, size_t inner,
                                          const cyaml_schema_value_t *schema, char *ret_path,
                                          size_t room)
{
    ret_path[0] = '\0';
    for (size_t i = r->nsteps; i-- > inner;) {
        const step *s = &r->steps[i];
        const size_t used = strlen(ret_path);
        const cyaml_schema_value_t *next = NULL;

        if (schema->type == CYAML_SEQUENCE && s->entry > 0) {
            (void)snprintf(ret_path + used, room - used, "[%lu]", s->entry - 1);
            next = schema->sequence.entry;
        } else if (schema->type == CYAML_MAPPING && (next = field_of(schema, s->key)) != NULL) {
            (void)snprintf(ret_path + used, room - used, "%s%s", used > 0 ? "." : "", s->key);
        }
        if (next == NULL)
            break;
        schema = next;
    }
    return schema;
}

static void list_keys(const cyaml_schema_value_t *mapping, char *ret_list, size_t room)
{
    ret_list[0] = '\0';
    if (mapping->type != CYAML_MAPPING)
        return;
    for (const cyaml_schema_field_t *f = mapping->mapping.fields; f->key != NULL; f++) {
        const size_t used = strlen(ret_list);
        (void)snprintf(ret_list + used, room - used, "%s%s", used > 0 ? ", " : "", f->key);
    }
}

static const char *shape_of(const cyaml_schema_value_t *schema)
{
    return schema->type == CYAML_MAPPING    ? "must be a mapping (key: value)"
           : schema->type == CYAML_SEQUENCE ? "must be a list ([] where it is empty)"
                                            : "must be a single value";
}

/* What libcyaml writes after the colon: the key in question. */
static const char *subject(const report *r)
{
    const char *colon = strstr(r->message, ": ");

    return colon != NULL ? colon + 2 : "";
}

/* libcyaml's failure as `what is wrong`, and the path to look up: the nth node of it, its key or value. */
typedef struct finding {
    char path[512];
    size_t parent; /* length of the path of what surely exists */
    unsigned nth;
    int at_key;
    char what[640];
} finding;

static void explain(const report *r, cyaml_err_t code, const cyaml_schema_value_t *root, finding *f)
{
    /* A missing key is found at a mapping's end, where the innermost step is its last key: not the one. */
    const size_t inner = code == CYAML_ERR_MAPPING_FIELD_MISSING && r->nsteps > 0 ? 1 : 0;
    const cyaml_schema_value_t *schema = follow(r, inner, root, f->path, sizeof f->path);
    const char *where = f->path[0] != '\0' ? f->path : "the file";
    char keys[256], quoted[64];

    f->parent = strlen(f->path);
    f->nth = 1;
    f->at_key = 0;
    io_quote(subject(r), quoted, sizeof quoted);
    switch (code) {
    case CYAML_ERR_INVALID_KEY:
        list_keys(schema, keys, sizeof keys);
        (void)snprintf(f->what, sizeof f->what, "unknown key '%s' in %s; there is: %s", quoted,
                       where, keys);
        (void)snprintf(f->path + f->parent, sizeof f->path - f->parent, "%s%.400s",
                       f->parent > 0 ? "." : "", subject(r));
        f->at_key = 1;
        break;
    case CYAML_ERR_MAPPING_FIELD_MISSING:
        (void)snprintf(f->what, sizeof f->what, "%s lacks the key '%s'", where, quoted);
        break;
    case CYAML_ERR_UNEXPECTED_EVENT:
        (void)snprintf(f->what, sizeof f->what, "%s is given twice", where);
        f->nth = 2;
        f->at_key = 1;
        break;
    case CYAML_ERR_INVALID_VALUE:
        (void)snprintf(f->what, sizeof f->what, "%s %s", where, shape_of(schema));
        break;
    case CYAML_ERR_STRING_LENGTH_MIN:
        (void)snprintf(f->what, sizeof f->what, "%s is empty", where);
        break;
    case CYAML_ERR_STRING_LENGTH_MAX:
        (void)snprintf(f->what, sizeof f->what, "%s is longer than %u bytes", where,
                       (unsigned)schema->string.max);
        break;
    default:
        io_quote(r->message, quoted, sizeof quoted);
        (void)snprintf(f->what, sizeof f->what, "%s: %s %s", where, cyaml_strerror(code), quoted);
        break;
    }
}

fpx_status io_config_load(const char *label, const char *text, size_t count,
                          const cyaml_schema_value_t *schema, void **ret_data, fpx_error *err)
{
    report r = { .nsteps = 0 };
    const cyaml_config_t config = config_for(&r);
    cyaml_data_t *data = NULL;
    io_yaml_place key, value;
    finding f;
    const fpx_status status = io_yaml_check(label, text, count, err);

    if (status != FPX_OK)
        return status;
    const cyaml_err_t code =
        cyaml_load_data((const uint8_t *)text, count, &config, schema, &data, NULL);
    if (code == CYAML_ERR_OOM)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    if (code == CYAML_OK && data != NULL) {
        *ret_data = data;
        return FPX_OK;
    }
    explain(&r, code, schema, &f);
    int found = io_yaml_find(text, count, f.path, f.nth, &key, &value);
    if (!found) { /* a key too long for a path: say where its mapping begins */
        f.path[f.parent] = '\0';
        f.at_key = 0;
        found = io_yaml_find(text, count, f.path, 1, &key, &value);
    }
    const io_yaml_place at = f.at_key ? key : value;
    return found ? fpx_error_set(err, FPX_EFORMAT, "%s:%zu:%zu: %s", label, at.line, at.column,
                                 f.what)
                 : fpx_error_set(err, FPX_EFORMAT, "%s: %s", label, f.what);
}

void io_config_free(const cyaml_schema_value_t *schema, void *data)
{
    const cyaml_config_t config = config_for(NULL);

    (void)cyaml_free(&config, schema, data, 0);
}
