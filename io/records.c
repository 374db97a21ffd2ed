/* records.c - JSON Lines through jansson, a line at a time. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/records.h>

static fpx_status refuse(const char *label, size_t line, const char *what, fpx_error *err)
{
    return fpx_error_set(err, FPX_EFORMAT, "%s:%zu: %s", label, line, what);
}

/* The keys of a record's texts, and how a line is shown to a person. */
typedef struct form {
    const char *keys[3]; /* ended by NULL, or all */
    const char *line;
} form;

static const form forms[2] = {
    { { "prompt", "response" }, "{\"prompt\": \"...\", \"response\": \"...\"}" },
    { { "prompt", "chosen", "rejected" },
      "{\"prompt\": \"...\", \"chosen\": \"...\", \"rejected\": \"...\"}" },
};

static fpx_status add(fpx_records *records, size_t *room, const json_t *const texts[3], size_t line)
{
    if (records->n == *room) {
        const size_t more = *room == 0 ? 64 : 2 * *room;
        fpx_record *larger = realloc(records->at, more * sizeof *larger);

        if (larger == NULL)
            return FPX_ENOMEM;
        records->at = larger;
        *room = more;
    }
    fpx_record *r = &records->at[records->n++];

    r->prompt = strdup(json_string_value(texts[0]));
    r->response = strdup(json_string_value(texts[1]));
    r->rejected = texts[2] != NULL ? strdup(json_string_value(texts[2])) : NULL;
    r->line = line;
    return r->prompt != NULL && r->response != NULL && (r->rejected != NULL || texts[2] == NULL)
               ? FPX_OK
               : FPX_ENOMEM;
}

/* The texts of a line, NULL behind them. */
static fpx_status find_texts(const char *label, const json_t *root, const form *f, size_t line,
                             const json_t *ret_texts[3], fpx_error *err)
{
    char what[160];

    for (size_t i = 0; i < 3 && f->keys[i] != NULL; i++) {
        ret_texts[i] = json_object_get(root, f->keys[i]);
        if (!json_is_string(ret_texts[i])) {
            (void)snprintf(what, sizeof what, "expected %s", f->line);
            return refuse(label, line, what, err);
        }
        if (json_string_length(ret_texts[i]) == 0) {
            (void)snprintf(what, sizeof what, "the %s is empty", f->keys[i]);
            return refuse(label, line, what, err);
        }
    }
    return FPX_OK;
}

/* What is wrong with a line that jansson refuses, in the words of the file's author. */
static const char *fault_of(const json_error_t *why)
{
    static const struct {
        enum json_error_code code;
        const char *words;
    } faults[] = {
        { json_error_null_character, "a text holds \\u0000, which ends a response" },
        { json_error_null_byte_in_key, "a key holds \\u0000" },
        { json_error_duplicate_key, "a key is given twice" },
        { json_error_invalid_utf8, "not UTF-8" },
    };

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (faults[i].code == json_error_code(why))
            return faults[i].words;
    return "no JSON object on one line";
}

/* jansson refuses zero bytes in texts unless asked to take them. */
static fpx_status take_line(const char *label, const char *text, size_t count, const form *f,
                            size_t line, fpx_records *records, size_t *room, fpx_error *err)
{
    json_error_t why;
    json_t *root = json_loadb(text, count, JSON_REJECT_DUPLICATES, &why);
    const json_t *texts[3] = { NULL, NULL, NULL };
    char said[224];
    fpx_status status = FPX_OK;

    if (root == NULL) {
        (void)snprintf(said, sizeof said, "%s: expected %s", fault_of(&why), f->line);
        status = refuse(label, line, said, err);
    } else
        status = find_texts(label, root, f, line, texts, err);
    if (status == FPX_OK && add(records, room, texts, line) != FPX_OK)
        status = fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    json_decref(root);
    return status;
}

fpx_status fpx_records_parse(const char *label, const char *text, size_t count, int preferences,
                             fpx_records *ret_records, fpx_error *err)
{
    const form *f = &forms[preferences != 0];
    fpx_records records = { .n = 0 };
    size_t room = 0, line = 1;
    fpx_status status = FPX_OK;
    const size_t mark = count >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    for (size_t at = mark; at < count && status == FPX_OK; line++) {
        const char *end = memchr(text + at, '\n', count - at);
        const size_t length = end != NULL ? (size_t)(end - (text + at)) : count - at;
        size_t blank = 0;

        while (blank < length && strchr(" \t\r", text[at + blank]) != NULL && text[at + blank])
            blank++;
        if (blank < length)
            status = take_line(label, text + at, length, f, line, &records, &room, err);
        at += length + 1;
    }
    if (status == FPX_OK && records.n == 0)
        status =
            fpx_error_set(err, FPX_EFORMAT, "%s: has no records; a line is %s", label, f->line);
    if (status != FPX_OK) {
        fpx_records_free(&records);
        return status;
    }
    *ret_records = records;
    return FPX_OK;
}

void fpx_records_free(fpx_records *records)
{
    for (size_t i = 0; i < records->n; i++) {
        free(records->at[i].prompt);
        free(records->at[i].response);
        free(records->at[i].rejected);
    }
    free(records->at);
    *records = (fpx_records){ .n = 0 };
}
