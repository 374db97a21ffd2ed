/* records.c - JSON Lines through jansson, a line at a time. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/records.h>

#include "quote.h"

static fpx_status refuse(const char *label, size_t line, const char *what, fpx_error *err)
{
    return fpx_error_set(err, FPX_EFORMAT, "%s:%zu: %s", label, line, what);
}

static fpx_status add(fpx_records *records, size_t *room, const json_t *prompt,
                      const json_t *response, size_t line)
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

    r->prompt = strdup(json_string_value(prompt));
    r->response = strdup(json_string_value(response));
    r->line = line;
    return r->prompt != NULL && r->response != NULL ? FPX_OK : FPX_ENOMEM;
}

/* jansson refuses zero bytes in texts unless asked to take them. */
static fpx_status take_line(const char *label, const char *text, size_t count, size_t line,
                            fpx_records *records, size_t *room, fpx_error *err)
{
    json_error_t why;
    json_t *root = json_loadb(text, count, JSON_REJECT_DUPLICATES, &why);
    const json_t *prompt = json_object_get(root, "prompt");
    const json_t *response = json_object_get(root, "response");
    char said[sizeof why.text];
    fpx_status status = FPX_OK;

    if (root == NULL) {
        io_quote(why.text, said, sizeof said);
        status = refuse(label, line, said, err);
    } else if (!json_is_string(prompt) || !json_is_string(response))
        status = refuse(label, line, "expected {\"prompt\": \"...\", \"response\": \"...\"}", err);
    else if (json_string_length(prompt) == 0 || json_string_length(response) == 0)
        status = refuse(label, line, "the prompt or the response is empty", err);
    else if (add(records, room, prompt, response, line) != FPX_OK)
        status = fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    json_decref(root);
    return status;
}

fpx_status fpx_records_parse(const char *label, const char *text, size_t count,
                             fpx_records *ret_records, fpx_error *err)
{
    fpx_records records = { .n = 0 };
    size_t room = 0, line = 1;
    fpx_status status = FPX_OK;

    for (size_t at = 0; at < count && status == FPX_OK; line++) {
        const char *end = memchr(text + at, '\n', count - at);
        const size_t length = end != NULL ? (size_t)(end - (text + at)) : count - at;
        size_t blank = 0;

        while (blank < length && strchr(" \t\r", text[at + blank]) != NULL && text[at + blank])
            blank++;
        if (blank < length)
            status = take_line(label, text + at, length, line, &records, &room, err);
        at += length + 1;
    }
    if (status == FPX_OK && records.n == 0)
        status = fpx_error_set(err, FPX_EFORMAT,
                               "%s: has no records; a line is {\"prompt\": \"...\", \"response\": "
                               "\"...\"}",
                               label);
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
    }
    free(records->at);
    *records = (fpx_records){ .n = 0 };
}
