/* settings.c - walks YAML line by line and gives each value its path. No parser: texts that were run are
 * valid, and any other is merely compared by lines. */
#include <stdio.h>
#include <string.h>

#include <fpx/settings.h>

enum { LEVELS = 16 };

typedef struct level {
    size_t indent, key; /* key: length of the path up to and with this level */
    size_t items;       /* seen below it */
    int is_item;
} level;

typedef struct walk {
    const char *at;         /* the next line */
    const char *flow, *end; /* the rest of a flow mapping; flow NULL: none */
    level levels[LEVELS];   /* [0] is the root */
    size_t depth;
    char key[FPX_SETTING_KEY];
    const char *value;
    size_t length;
} walk;

static walk start(const char *text, const char *root)
{
    walk w = { .at = text != NULL ? text : "" };

    (void)snprintf(w.key, sizeof w.key, "%s", root);
    w.levels[0].key = strlen(w.key);
    return w;
}

/* Appends to the path at its first `length` bytes; a path too long is cut. */
static size_t extend(walk *w, size_t length, const char *name, size_t n)
{
    const int written = snprintf(w->key + length, sizeof w->key - length, "%s%.*s",
                                 length > 0 && name[0] != '[' ? "." : "", (int)n, name);
    const size_t most = sizeof w->key - 1 - length;

    return length + ((size_t)written < most ? (size_t)written : most);
}

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line without comment and outer spaces; 0 at the end. */
static int take_line(walk *w, size_t *ret_indent, const char **ret_line, size_t *ret_length)
{
    while (*w->at != '\0') {
        const char *line = w->at, *end = line + strcspn(line, "\n"), *stop = line;
        char quote = '\0';

        w->at = *end == '\n' ? end + 1 : end;
        for (; stop < end; stop++) {
            if (quote != '\0' && *stop == quote)
                quote = '\0';
            else if (quote != '\0')
                continue;
            else if (*stop == '#' && (stop == line || is_space(stop[-1])))
                break;
            else if ((*stop == '"' || *stop == '\'') &&
                     (stop == line || strchr(" {[,", stop[-1]) != NULL))
                quote = *stop;
        }
        while (stop > line && is_space(stop[-1]))
            stop--;
        *ret_indent = 0;
        while (line < stop && is_space(*line)) {
            line++;
            ++*ret_indent;
        }
        if (line == stop || (stop - line == 3 && memcmp(line, "---", 3) == 0))
            continue;
        *ret_line = line;
        *ret_length = (size_t)(stop - line);
        return 1;
    }
    return 0;
}

/* Length of a key before ":", or 0: there is none. */
static size_t key_of(const char *text, size_t n)
{
    const size_t length =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"
                     ".-\"'");

    return length > 0 && length < n && text[length] == ':' &&
                   (length + 1 == n || is_space(text[length + 1]))
               ? length
               : 0;
}

static void push(walk *w, size_t indent, size_t key, int is_item)
{
    if (w->depth + 1 < LEVELS)
        w->levels[++w->depth] = (level){ .indent = indent, .key = key, .is_item = is_item };
}

/* "[3]": the next item below the innermost level. */
static size_t item_key(walk *w)
{
    level *parent = &w->levels[w->depth];
    char number[32];

    (void)snprintf(number, sizeof number, "[%zu]", parent->items++);
    return extend(w, parent->key, number, strlen(number));
}

/* The next of "{k: v, k: v}". */
static int take_flow(walk *w)
{
    while (w->flow < w->end) {
        const char *from = w->flow, *to = memchr(from, ',', (size_t)(w->end - from));
        size_t n;

        to = to != NULL ? to : w->end;
        w->flow = to < w->end ? to + 1 : w->end;
        while (from < to && is_space(*from))
            from++;
        while (to > from && is_space(to[-1]))
            to--;
        if (from == to)
            continue;
        n = key_of(from, (size_t)(to - from));
        (void)extend(w, w->levels[w->depth].key, from, n);
        w->value = n > 0 ? from + n + 1 : from;
        while (w->value < to && is_space(*w->value))
            w->value++;
        w->length = (size_t)(to - w->value);
        return 1;
    }
    w->flow = NULL;
    return 0;
}

/* A value that stands on its line, or a flow mapping of several. 0: nothing, or what lies below it. */
static int take_value(walk *w, const char *text, size_t n)
{
    while (n > 0 && is_space(*text)) {
        text++;
        n--;
    }
    if (n > 1 && text[0] == '{' && text[n - 1] == '}') {
        w->flow = text + 1;
        w->end = text + n - 1;
        return take_flow(w);
    }
    w->value = text;
    w->length = n;
    return n > 0;
}

/* The next setting: path in key, value and length. 0 at the end. */
static int take(walk *w)
{
    const char *line;
    size_t indent, n;

    if (w->flow != NULL && take_flow(w))
        return 1;
    while (take_line(w, &indent, &line, &n)) {
        const int item = line[0] == '-' && (n == 1 || is_space(line[1]));
        size_t key;

        while (w->depth > 0 &&
               (w->levels[w->depth].indent > indent ||
                (w->levels[w->depth].indent == indent && (!item || w->levels[w->depth].is_item))))
            w->depth--;
        if (item) {
            push(w, indent, item_key(w), 1);
            for (line++, n--, indent++; n > 0 && is_space(*line); line++, n--)
                indent++;
        }
        if ((key = key_of(line, n)) > 0) {
            push(w, indent, extend(w, w->levels[w->depth].key, line, key), 0);
            line += key + 1;
            n -= key + 1;
        } else if (!item) {
            (void)item_key(w);
        }
        if (take_value(w, line, n))
            return 1;
    }
    return 0;
}

/* ---- a run's settings: the experiment's but for the overridden, the overrides, the recipe's ---- */
typedef struct settings_walk {
    const fpx_settings *from;
    walk walk;
    int part;
} settings_walk;

static settings_walk begin(const fpx_settings *from)
{
    return (settings_walk){ .from = from, .walk = start(from->experiment, "") };
}

static int overridden(const fpx_settings *s, const char *key)
{
    walk w = start(s->overrides, "");

    while (take(&w))
        if (strcmp(w.key, key) == 0)
            return 1;
    return 0;
}

static int next(settings_walk *s)
{
    static const char source[] = "recipe.source";

    for (;;) {
        while (take(&s->walk)) {
            if (s->part == 0 && overridden(s->from, s->walk.key))
                continue;
            if (s->part == 2 && strncmp(s->walk.key, source, sizeof source - 1) == 0)
                continue;
            return 1;
        }
        if (s->part == 2)
            return 0;
        s->part++;
        s->walk = s->part == 1 ? start(s->from->overrides, "") : start(s->from->recipe, "recipe");
    }
}

static int find(const fpx_settings *in, const char *key, walk *ret_found)
{
    settings_walk s = begin(in);

    while (next(&s))
        if (strcmp(s.walk.key, key) == 0) {
            *ret_found = s.walk;
            return 1;
        }
    return 0;
}

static void cut(char text[FPX_SETTING_VALUE], const walk *w)
{
    static const char dots[] = "...";
    const size_t most = FPX_SETTING_VALUE - sizeof dots;

    if (w->length < FPX_SETTING_VALUE)
        (void)snprintf(text, FPX_SETTING_VALUE, "%.*s", (int)w->length, w->value);
    else
        (void)snprintf(text, FPX_SETTING_VALUE, "%.*s%s", (int)most, w->value, dots);
}

int fpx_settings_find(const fpx_settings *settings, const char *key,
                      char ret_value[FPX_SETTING_VALUE])
{
    walk found;

    if (!find(settings, key, &found))
        return 0;
    cut(ret_value, &found);
    return 1;
}

size_t fpx_settings_differ(const fpx_settings *a, const fpx_settings *b, fpx_setting *ret,
                           size_t room)
{
    size_t n = 0;

    for (int side = 0; side < 2; side++) {
        settings_walk s = begin(side == 0 ? a : b);

        while (next(&s)) {
            walk other;
            const int there = find(side == 0 ? b : a, s.walk.key, &other);
            fpx_setting one = { .a = "", .b = "" };

            if (there && (side == 1 || (s.walk.length == other.length &&
                                        memcmp(s.walk.value, other.value, other.length) == 0)))
                continue;
            memcpy(one.key, s.walk.key, sizeof one.key);
            cut(side == 0 ? one.a : one.b, &s.walk);
            if (there)
                cut(one.b, &other);
            if (n < room)
                ret[n] = one;
            n++;
        }
    }
    return n;
}

fpx_digest fpx_settings_digest(const fpx_settings *settings)
{
    settings_walk s = begin(settings);
    fpx_digest all = fpx_digest_bytes("", 0);

    while (next(&s)) {
        const fpx_digest parts[3] = { all, fpx_digest_bytes(s.walk.key, strlen(s.walk.key)),
                                      fpx_digest_bytes(s.walk.value, s.walk.length) };

        all = fpx_digest_list(parts, 3);
    }
    return all;
}
