/* yaml_scan.c - one walk over libyaml's events that keeps the path of each node. libyaml's parser holds its
 * state on the heap and reads the text once; the depth limit keeps that state small. */
#include "yaml_scan.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum {
    MAX_DEPTH = 16, /* a recipe needs 3 */
    MAX_PATH = 256  /* no path of a schema is as long; a longer one is found nowhere */
};

typedef struct frame {
    size_t length;  /* of the path of the collection itself */
    size_t index;   /* entries so far, of a sequence */
    int is_mapping; /* else a sequence */
    int has_key;    /* a key was read and its value comes next */
    yaml_mark_t key;
} frame;

typedef struct walk {
    yaml_parser_t parser;
    frame frames[MAX_DEPTH];
    size_t depth;
    size_t documents;
    char path[MAX_PATH];
} walk;

static io_yaml_place place(yaml_mark_t mark)
{
    return (io_yaml_place){ mark.line + 1, mark.column + 1 };
}

static fpx_status say(const char *label, io_yaml_place at, const char *what, fpx_error *err)
{
    return fpx_error_set(err, FPX_EFORMAT, "%s:%zu:%zu: %s", label, at.line, at.column, what);
}

/* libyaml's own complaint. Its reader (bytes that are no UTF-8) knows an offset only. */
static fpx_status parser_error(const yaml_parser_t *p, const char *label, const char *text,
                               size_t count, fpx_error *err)
{
    const char *problem = p->problem != NULL ? p->problem : "malformed YAML";
    io_yaml_place at = place(p->problem_mark);

    if (p->error == YAML_MEMORY_ERROR)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    if (p->error == YAML_READER_ERROR) {
        at = (io_yaml_place){ 1, 1 };
        for (size_t i = 0; i < p->problem_offset && i < count; i++, at.column++) {
            if (text[i] == '\n')
                at = (io_yaml_place){ at.line + 1, 0 };
        }
    }
    return fpx_error_set(err, FPX_EFORMAT, "%s:%zu:%zu: not YAML: %s%s%s", label, at.line,
                         at.column, problem, p->context != NULL ? " " : "",
                         p->context != NULL ? p->context : "");
}

static void append(walk *w, size_t at, const char *part)
{
    if (at < sizeof w->path)
        (void)snprintf(w->path + at, sizeof w->path - at, "%s", part);
}

/* A node begins: the path becomes the node's. 1 where it is a value, 0 where it is a mapping's key. */
static int enter(walk *w, const yaml_event_t *event)
{
    frame *top = w->depth > 0 ? &w->frames[w->depth - 1] : NULL;
    char index[32];

    if (top == NULL) {
        w->path[0] = '\0';
        return 1;
    }
    if (!top->is_mapping) {
        (void)snprintf(index, sizeof index, "[%zu]", top->index++);
        append(w, top->length, index);
        return 1;
    }
    if (top->has_key) {
        top->has_key = 0;
        return 1;
    }
    const char *key =
        event->type == YAML_SCALAR_EVENT ? (const char *)event->data.scalar.value : "?";
    append(w, top->length, top->length > 0 ? "." : "");
    append(w, strlen(w->path), key);
    top->has_key = 1;
    top->key = event->start_mark;
    return 0;
}

/* The key's mark of the node that enter() has just seen. */
static yaml_mark_t key_of(const walk *w, const yaml_event_t *event)
{
    const frame *top = w->depth > 0 ? &w->frames[w->depth - 1] : NULL;

    return top != NULL && top->is_mapping ? top->key : event->start_mark;
}

/* What in this event no configuration may hold; NULL: nothing. */
static const char *forbidden(const walk *w, const yaml_event_t *event, int is_value)
{
    const int collection =
        event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;

    if (event->type == YAML_ALIAS_EVENT)
        return "aliases (*name) are not allowed: write the value out";
    if (event->type == YAML_DOCUMENT_START_EVENT && w->documents > 1)
        return "a second document begins: one file holds one";
    if (collection && w->depth == MAX_DEPTH)
        return "nested too deeply";
    if (collection && !is_value)
        return "a key must be a plain word";
    if (event->type == YAML_SCALAR_EVENT &&
        strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
        return "a text holds a zero character";
    return NULL;
}

static void push(walk *w, const yaml_event_t *event)
{
    w->frames[w->depth++] =
        (frame){ .length = strlen(w->path), .is_mapping = event->type == YAML_MAPPING_START_EVENT };
}

static int is_node(yaml_event_type_t type)
{
    return type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT ||
           type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
}

typedef struct search {
    const char *path;
    unsigned nth;
    io_yaml_place key, value;
    int found;
} search;

/* Walks the whole text, or to the node that is searched for (search may be NULL). */
static fpx_status walk_text(walk *w, const char *label, const char *text, size_t count, search *s,
                            fpx_error *err)
{
    fpx_status status = FPX_OK;
    int done = 0;

    while (status == FPX_OK && !done) {
        yaml_event_t event;
        int is_value = 0;

        if (!yaml_parser_parse(&w->parser, &event))
            return parser_error(&w->parser, label, text, count, err);
        if (is_node(event.type))
            is_value = enter(w, &event);
        w->documents += event.type == YAML_DOCUMENT_START_EVENT;
        const char *wrong = forbidden(w, &event, is_value);
        if (wrong != NULL) {
            status = say(label, place(event.start_mark), wrong, err);
        } else if (is_value && s != NULL && strcmp(w->path, s->path) == 0 && --s->nth == 0) {
            s->key = place(key_of(w, &event));
            s->value = place(event.start_mark);
            s->found = done = 1;
        } else if (event.type == YAML_MAPPING_START_EVENT ||
                   event.type == YAML_SEQUENCE_START_EVENT) {
            push(w, &event);
        } else if (event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT) {
            w->path[w->frames[--w->depth].length] = '\0';
        }
        done |= event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    return status;
}

static fpx_status run(const char *label, const char *text, size_t count, search *s,
                      size_t *ret_documents, fpx_error *err)
{
    walk w = { .depth = 0 };

    if (!yaml_parser_initialize(&w.parser))
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    yaml_parser_set_input_string(&w.parser, (const unsigned char *)text, count);
    const fpx_status status = walk_text(&w, label, text, count, s, err);
    yaml_parser_delete(&w.parser);
    *ret_documents = w.documents;
    return status;
}

fpx_status io_yaml_check(const char *label, const char *text, size_t count, fpx_error *err)
{
    size_t documents = 0;
    const fpx_status status = run(label, text, count, NULL, &documents, err);

    if (status == FPX_OK && documents == 0)
        return fpx_error_set(err, FPX_EFORMAT, "%s: empty: no YAML document in it", label);
    return status;
}

int io_yaml_find(const char *text, size_t count, const char *path, unsigned nth,
                 io_yaml_place *ret_key, io_yaml_place *ret_value)
{
    search s = { .path = path, .nth = nth };
    size_t documents = 0;

    (void)run("", text, count, &s, &documents, NULL);
    if (!s.found)
        return 0;
    *ret_key = s.key;
    *ret_value = s.value;
    return 1;
}
