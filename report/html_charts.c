/* html_charts.c - curves over steps as SVG. More steps than pixels are binned, with the whole range of each
 * bin drawn, so that a spike of one step in ten thousand is still seen. */
#include <math.h>
#include <string.h>

#include "html_parts.h"

enum {
    WIDTH = 880,
    HEIGHT = 280,
    LEFT = 62,
    RIGHT = 18,
    TOP = 44,
    BOTTOM = 36,
    BINS = 400,
    HOVERS = 200
};

typedef struct axes {
    uint64_t first, last; /* steps */
    double low, high;     /* of the drawn values, log10 of them where log */
    int log, zeros;
    double bottom; /* y of low */
} axes;

static const double width = WIDTH - LEFT - RIGHT;

static int drawable(const axes *ax, double v)
{
    return isfinite(v) && (!ax->log || v > 0.0 || (ax->zeros && v == 0.0));
}

static double x_of(const axes *ax, uint64_t step)
{
    const double span = (double)(ax->last - ax->first);

    return LEFT + (span > 0.0 ? width * (double)(step - ax->first) / span : width / 2.0);
}

static double y_of(const axes *ax, double v)
{
    if (ax->log && v == 0.0)
        return HEIGHT - BOTTOM - 5.0;
    v = ax->log ? html_log10(v) : v;
    return ax->bottom - (ax->bottom - TOP) * (v - ax->low) / (ax->high - ax->low);
}

/* 1, 2 or 5 times a power of ten, so that about n fit into the span. */
static double nice_step(double span, double n)
{
    static const double parts[] = { 1.0, 2.0, 5.0, 10.0 };
    double power = html_power10((int)floor(html_log10(span / n)));
    size_t i = 0;

    while (i < 3 && power * parts[i] < span / n)
        i++;
    return power * parts[i];
}

static axes make_axes(const html_chart *c)
{
    axes ax = {
        .first = UINT64_MAX, .log = c->log, .low = (double)INFINITY, .high = -(double)INFINITY
    };

    for (size_t l = 0; l < c->nlines; l++) {
        const html_line *line = &c->lines[l];

        for (size_t i = 0; i < line->n; i++) {
            const double v = line->y[i];

            ax.first = line->step[i] < ax.first ? line->step[i] : ax.first;
            ax.last = line->step[i] > ax.last ? line->step[i] : ax.last;
            ax.zeros |= c->log && v == 0.0;
            if (!isfinite(v) || (c->log && !(v > 0.0)))
                continue;
            ax.low = v < ax.low ? v : ax.low;
            ax.high = v > ax.high ? v : ax.high;
        }
    }
    ax.bottom = HEIGHT - BOTTOM - (ax.zeros ? 22.0 : 0.0);
    if (c->level > 0.0) {
        ax.low = c->level < ax.low ? c->level : ax.low;
        ax.high = c->level > ax.high ? c->level : ax.high;
    }
    if (ax.low > ax.high) { /* nothing to draw: any axis */
        ax.low = c->log ? 1e-3 : 0.0;
        ax.high = 1.0;
    }
    if (c->log) {
        ax.low = floor(html_log10(ax.low));
        ax.high = ceil(html_log10(ax.high));
        ax.high = ax.high > ax.low ? ax.high : ax.low + 1.0;
    } else {
        const double span = ax.high > ax.low     ? ax.high - ax.low
                            : fabs(ax.low) > 0.0 ? fabs(ax.low)
                                                 : 1.0;
        const double tick = nice_step(span, 5.0);

        ax.low = floor(ax.low / tick) * tick;
        ax.high = ceil(ax.high / tick) * tick;
        ax.high = ax.high > ax.low ? ax.high : ax.low + tick;
    }
    return ax;
}

static void put_tick(FILE *f, double y)
{
    (void)fprintf(
        f, "<path class=\"grid\" d=\"M%d %.1fh%.0f\"/><text x=\"%d\" y=\"%.1f\" class=\"end\">",
        LEFT, y, width, LEFT - 8, y + 4.0);
}

static void put_values_axis(FILE *f, const axes *ax)
{
    if (ax->log) {
        const int each = 1 + (int)((ax->high - ax->low) / 8.0);

        for (int e = (int)ax->low; e <= (int)ax->high; e += each) {
            put_tick(f, ax->bottom - (ax->bottom - TOP) * (e - ax->low) / (ax->high - ax->low));
            html_put_power(f, e);
            (void)fputs("</text>\n", f);
        }
    } else {
        const double tick = nice_step(ax->high - ax->low, 5.0);
        const int n = (int)floor((ax->high - ax->low) / tick + 1e-6);

        for (int i = 0; i <= n; i++) {
            const double v = ax->low + i * tick;

            put_tick(f, y_of(ax, v));
            (void)fprintf(f, "%.4g</text>\n", fabs(v) < tick * 1e-6 ? 0.0 : v);
        }
    }
    if (ax->zeros) {
        put_tick(f, y_of(ax, 0.0));
        (void)fputs("equal</text>\n", f);
    }
}

void html_put_step_ticks(FILE *f, double left, double wide, double y, uint64_t first, uint64_t last)
{
    const double span = (double)(last - first);
    const double tick = span > 0.0 ? fmax(nice_step(span, wide / 90.0), 1.0) : 1.0;

    const double start = ceil((double)first / tick) * tick;

    for (unsigned k = 0; start + k * tick <= (double)last; k++) {
        const double v = start + k * tick;

        (void)fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" class=\"mid\">%.0f</text>",
                      left + (span > 0.0 ? wide * (v - (double)first) / span : wide / 2.0), y, v);
    }
    (void)fputc('\n', f);
}

/* Points [*at, end) of one bin: end of those, and what they span. */
typedef struct bin {
    size_t first, end, bad, good;
    double low, high, mean;
} bin;

static bin next_bin(const axes *ax, const html_line *line, size_t at)
{
    const size_t per = (line->n + BINS - 1) / BINS;
    bin b = { .first = at,
              .end = at + per < line->n ? at + per : line->n,
              .low = (double)INFINITY,
              .high = -(double)INFINITY };

    for (size_t i = at; i < b.end; i++) {
        const double v = line->y[i];

        b.bad += isfinite(v) ? 0 : 1;
        if (!drawable(ax, v))
            continue;
        b.good++;
        b.low = v < b.low ? v : b.low;
        b.high = v > b.high ? v : b.high;
        b.mean += (v - b.mean) / (double)b.good;
    }
    return b;
}

static double middle(const axes *ax, const html_line *line, const bin *b)
{
    return x_of(ax, line->step[b->first + (b->end - b->first) / 2]);
}

static void put_line(FILE *f, const axes *ax, const html_line *line)
{
    int pen_down = 0;

    if (line->n > BINS) { /* the range of each bin, behind the line of the means */
        (void)fprintf(f, "<path class=\"range %s\" d=\"", line->css);
        for (size_t i = 0; i < line->n;) {
            const bin b = next_bin(ax, line, i);

            if (b.good > 0)
                (void)fprintf(f, "M%.1f %.1fV%.1f", middle(ax, line, &b), y_of(ax, b.high),
                              y_of(ax, b.low) + 0.5);
            i = b.end;
        }
        (void)fputs("\"/>\n", f);
    }
    (void)fprintf(f, "<path class=\"line %s\" d=\"", line->css);
    for (size_t i = 0; i < line->n;) {
        const bin b = next_bin(ax, line, i);

        if (b.good > 0) /* h0: a lone point is a dot */
            (void)fprintf(f, "%s%.1f %.1f%s", pen_down ? "L" : "M", middle(ax, line, &b),
                          y_of(ax, b.mean), pen_down ? "" : "h0");
        pen_down = b.good > 0;
        i = b.end;
    }
    (void)fputs("\"/>\n", f);
    for (size_t i = 0; i < line->n;) {
        const bin b = next_bin(ax, line, i);

        if (b.bad > 0)
            (void)fprintf(f, "<path class=\"cross\" d=\"M%.1f %dl6 6m0-6l-6 6\"/>\n",
                          middle(ax, line, &b) - 3.0, TOP + 2);
        i = b.end;
    }
}

static void put_mark(FILE *f, const axes *ax, const html_mark *mark, int lane)
{
    double x;
    int right;

    if (mark->step < ax->first || mark->step > ax->last)
        return;
    x = x_of(ax, mark->step);
    right = x > LEFT + width * 0.6;
    (void)fprintf(f,
                  "<path class=\"mark m%d\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" "
                  "class=\"marktext m%d%s\">%s %"
                  "llu</text>\n",
                  lane, x, TOP - 10 + 0 * lane, HEIGHT - BOTTOM, x + (right ? -6.0 : 6.0),
                  TOP - 4 + 14 * lane, lane, right ? " end" : "", mark->text,
                  (unsigned long long)mark->step);
}

static void put_legend(FILE *f, const html_chart *c)
{
    double x = LEFT;

    (void)fprintf(f, "<text x=\"0\" y=\"14\" class=\"label\">%s</text>\n", c->label);
    if (c->nlines < 2)
        return;
    x = WIDTH - RIGHT;
    for (size_t l = c->nlines; l-- > 0;) {
        const size_t n = strlen(c->lines[l].name) < 28 ? strlen(c->lines[l].name) : 28;

        x -= 7.2 * (double)n;
        (void)fprintf(f, "<text x=\"%.0f\" y=\"14\">", x);
        html_put_cut(f, c->lines[l].name, 27);
        (void)fprintf(f, "</text><path class=\"line %s\" d=\"M%.0f 10h22\"/>\n", c->lines[l].css,
                      x - 28.0);
        x -= 50.0;
    }
}

/* Transparent columns that say the numbers below the pointer. */
static void put_hovers(FILE *f, const axes *ax, const html_chart *c)
{
    const html_line *line = &c->lines[0];
    const size_t per = (line->n + HOVERS - 1) / HOVERS;

    for (size_t i = 0; i < line->n; i += per) {
        const double x = x_of(ax, line->step[i]),
                     wide = i + per < line->n ? x_of(ax, line->step[i + per]) - x : 4.0;

        (void)fprintf(f,
                      "<rect class=\"hover\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" "
                      "height=\"%d\"><title>step %llu",
                      x - wide / 2.0, TOP, wide, HEIGHT - BOTTOM - TOP,
                      (unsigned long long)line->step[i]);
        for (size_t l = 0; l < c->nlines; l++) {
            if (i >= c->lines[l].n || c->lines[l].step[i] != line->step[i])
                continue;
            (void)fputs(c->nlines < 2 ? ": " : l ? ", B " : ": A ", f);
            if (isfinite(c->lines[l].y[i]))
                (void)fprintf(f, "%.6g", c->lines[l].y[i]);
            else
                (void)fputs("not finite", f);
        }
        (void)fputs("</title></rect>\n", f);
    }
}

void html_put_chart(FILE *f, const html_chart *c)
{
    const axes ax = make_axes(c);

    (void)fprintf(
        f,
        "<div class=\"wide\"><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s by step\">\n",
        WIDTH, HEIGHT, c->label);
    put_legend(f, c);
    put_values_axis(f, &ax);
    html_put_step_ticks(f, LEFT, width, HEIGHT - BOTTOM + 18.0, ax.first, ax.last);
    (void)fprintf(f, "<text x=\"%d\" y=\"%d\" class=\"end\">step</text>\n", WIDTH - RIGHT,
                  HEIGHT - 2);
    if (c->level > 0.0)
        (void)fprintf(
            f, "<path class=\"level\" d=\"M%d %.1fh%.0f\"/><text x=\"%d\" y=\"%.1f\">%s</text>\n",
            LEFT, y_of(&ax, c->level), width, LEFT + 8, y_of(&ax, c->level) - 6.0, c->level_text);
    for (size_t l = c->nlines; l-- > 0;) /* the first on top */
        put_line(f, &ax, &c->lines[l]);
    for (int m = 0; m < 2; m++)
        put_mark(f, &ax, &c->marks[m], m);
    put_hovers(f, &ax, c);
    (void)fputs("</svg></div>\n", f);
}
