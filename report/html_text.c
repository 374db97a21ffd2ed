/* html_text.c - text and numbers as the page writes them. Whatever a trace says is escaped here, so that
 * the page is well-formed XML too, whatever the trace says. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "html_parts.h"

/* Length of the UTF-8 sequence at s that XML may hold; 0: there is none. */
static size_t sequence(const unsigned char *s)
{
    const size_t n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;
    uint32_t code = n == 1 ? s[0] : s[0] & (0x7fu >> n);
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 }; /* shorter forms exist */

    if (n == 4 && (s[0] & 0xf8) != 0xf0)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) /* also the terminator */
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || code == 0xfffe ||
        code == 0xffff)
        return 0;
    return code >= 32 || code == '\n' || code == '\t' ? n : 0;
}

void html_put_cut(FILE *f, const char *text, size_t most)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t put = 0;

    while (*s != '\0') {
        const size_t n = sequence(s);

        if (put++ == most) {
            (void)fputs("\xe2\x80\xa6", f);
            return;
        }
        if (n == 0)
            (void)fputs("\xef\xbf\xbd", f);
        else if (*s == '&')
            (void)fputs("&amp;", f);
        else if (*s == '<')
            (void)fputs("&lt;", f);
        else if (*s == '>')
            (void)fputs("&gt;", f);
        else if (*s == '"')
            (void)fputs("&quot;", f);
        else
            (void)fwrite(s, 1, n, f);
        s += n ? n : 1;
    }
}

void html_put(FILE *f, const char *text)
{
    html_put_cut(f, text, SIZE_MAX);
}

void html_put_number(FILE *f, double x)
{
    if (isnan(x))
        (void)fputs("NaN", f);
    else if (isinf(x))
        (void)fputs(x > 0.0 ? "infinity" : "\xe2\x88\x92infinity", f);
    else
        (void)fprintf(f, "%.3g", x);
}

void html_put_name(FILE *f, const char *path, const char *none)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    html_put(f, path == NULL ? none : slash ? slash + 1 : path);
}

const char *html_mode_words(const char *mode)
{
    static const struct {
        const char *prefix, *words;
    } modes[] = {
        { "local:cpu", "every result computed a second time with the same arithmetic on the "
                       "reference device: the bits must be equal." },
        { "local:fp", "every operation computed again in higher precision from the very inputs it "
                      "had: its own arithmetic error, nothing inherited." },
        { "local:",
          "every product that this matrix unit can take computed by its model, every other "
          "result with the same arithmetic on the reference device: the bits must be "
          "equal." },
        { "operand", "every operation computed again in higher precision from the inputs as they "
                     "were before quantization: what quantizing and arithmetic did together." },
        { "free", "a second training run in higher precision that goes its own way from the first "
                  "step: the drift accumulated so far." },
    };

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strncmp(mode, modes[i].prefix, strlen(modes[i].prefix)) == 0)
            return modes[i].words;
    return "how far each result is from a second computation of it.";
}

/* x = m 2^e with m in [sqrt(1/2), sqrt 2): ln m = 2 artanh(t), t = (m - 1) / (m + 1), |t| < 0.172; the
 * first term left out is below 2 t^13 / 13 < 2e-11. No libm: it differs in the last places between
 * machines, and the same traces should give the same page. */
double html_log10(double x)
{
    int e;
    double m = frexp(x, &e), t, t2;

    if (m < 0.70710678118654752) {
        m *= 2.0;
        e--;
    }
    t = (m - 1.0) / (m + 1.0);
    t2 = t * t;
    t = 2.0 * t *
        (1.0 + t2 * (1.0 / 3 + t2 * (1.0 / 5 + t2 * (1.0 / 7 + t2 * (1.0 / 9 + t2 * (1.0 / 11))))));
    return t * 0.43429448190325183 + e * 0.30102999566398120; /* log10(e), log10(2) */
}

double html_power10(int e)
{
    double x = 1.0;

    for (int i = 0; i < (e < 0 ? -e : e); i++)
        x *= 10.0;
    return e < 0 ? 1.0 / x : x;
}

void html_put_power(FILE *f, int e)
{
    static const char *const raised[] = { "\xe2\x81\xb0", "\xc2\xb9",     "\xc2\xb2",
                                          "\xc2\xb3",     "\xe2\x81\xb4", "\xe2\x81\xb5",
                                          "\xe2\x81\xb6", "\xe2\x81\xb7", "\xe2\x81\xb8",
                                          "\xe2\x81\xb9" };
    char digits[16];

    if (e == 0 || e == 1) {
        (void)fputs(e ? "10" : "1", f);
        return;
    }
    (void)snprintf(digits, sizeof digits, "%d", e);
    (void)fputs("10", f);
    for (const char *d = digits; *d != '\0'; d++)
        (void)fputs(*d == '-' ? "\xe2\x81\xbb" : raised[*d - '0'], f);
}
