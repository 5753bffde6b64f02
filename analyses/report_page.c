/* The frame of the page. */
#include <config.h>
#include "analyses/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "analyses/markup.h"

enum { SECTIONS_MOST = 32 };

#define TALL 1.2     /* figures so much higher than wide have a page of paper to themselves */

/* A stream in memory. */
typedef struct {
    FILE  *stream;
    char  *text;         /* after end_memory: released with free() */
    size_t size;
} memory;

static osc_status begin_memory(memory *m)
{
    *m = (memory){ .text = NULL };
    m->stream = open_memstream(&m->text, &m->size);
    return m->stream != NULL ? OSC_OK : osc_fail(OSC_ENOMEM, "out of memory for a page");
}

/* `status` is what the writing gave; after a failure nothing is left to release. */
static osc_status end_memory(memory *m, osc_status status)
{
    bool whole = osc_close_text(m->stream, &m->text);
    if (status == OSC_OK && !whole)
        status = osc_fail(OSC_ENOMEM, "out of memory for a page");
    if (status != OSC_OK)
        free(m->text);
    return status;
}

/* --- figures and tables ------------------------------------------------------------ */

__attribute__((format(printf, 4, 0)))
static void put_caption(FILE *out, const char *what, size_t number, const char *format,
                        va_list args)
{
    char text[2048];
    vsnprintf(text, sizeof text, format, args);
    fprintf(out, "<figure class=\"%s\">\n<figcaption><b>%s %zu.</b> ",
            strcmp(what, "Table") == 0 ? "tables" : "picture", what, number);
    markup_text(out, text);
    fputs("</figcaption>\n", out);
}

void report_begin_table(report *r, FILE *out, const char *caption, ...)
{
    va_list args;
    va_start(args, caption);
    put_caption(out, "Table", ++r->tables, caption, args);
    va_end(args);
}

void report_end(FILE *out)
{
    fputs("</figure>\n", out);
}

/* An SVG file as part of the page: without what stands only at the start of a file. */
static osc_status put_inline(FILE *out, const char *svg)
{
    const char *begin = strstr(svg, "<svg");
    if (begin == NULL || strstr(begin, " width=") == NULL)
        return osc_fail(OSC_EFORMAT, "a figure is not SVG");
    double width = 1, height = 1;
    (void)sscanf(strstr(begin, " width="), " width=\"%lf\" height=\"%lf", &width, &height);
    fprintf(out, "<div class=\"card%s\">\n", height > TALL * width ? " tall" : "");
    fputs(begin, out);
    fputs("</div>\n", out);
    return OSC_OK;
}

osc_status report_figure(report *r, FILE *out, report_draw draw, const void *user,
                         const char *caption, ...)
{
    memory m;
    va_list args;
    OSC_TRY(begin_memory(&m));
    OSC_TRY(end_memory(&m, draw(user, m.stream)));
    va_start(args, caption);
    put_caption(out, "Figure", ++r->figures, caption, args);
    va_end(args);
    osc_status status = put_inline(out, m.text);
    free(m.text);
    report_end(out);
    return status;
}

/* --- the page ---------------------------------------------------------------------- */

static void put_head(const report *r, FILE *out)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
          "<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
          /* nothing is fetched and nothing runs, whatever the text says */
          "<meta http-equiv=\"Content-Security-Policy\""
          " content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
          "<meta name=\"generator\" content=\"outlierscope " PACKAGE_VERSION "\"/>\n", out);
    markup_element(out, "title", r->title);
    fputs("\n<style>\n", out);
    for (size_t i = 0; report_style[i] != NULL; i++)
        fprintf(out, "%s\n", report_style[i]);
    fputs("</style>\n</head>\n<body>\n", out);
}

static void put_count(FILE *out, size_t count, const char *one, const char *many, bool *first)
{
    if (count == 0)
        return;
    fprintf(out, "%s%zu %s", *first ? "" : ", ", count, count == 1 ? one : many);
    *first = false;
}

static void put_lead(const report *r, FILE *out)
{
    bool first = true;
    fputs("<p class=\"lead\">", out);
    put_count(out, r->records, "record of hidden states", "records of hidden states", &first);
    put_count(out, r->ablations, "ablation", "ablations", &first);
    put_count(out, r->schemes.count, "perplexity", "perplexities of models under matmul schemes",
              &first);
    put_count(out, r->study.count, "point of a threshold study", "points of threshold studies",
              &first);
    put_count(out, r->zeroshot.count, "accuracy on a zero-shot task",
              "accuracies on zero-shot tasks", &first);
    fputs(".</p>\n", out);
}

static void put_contents(FILE *out, const memory *body)
{
    fputs("<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contents</h2>\n<ol>\n", out);
    for (size_t i = 0; report_sections[i].id != NULL; i++)
        if (body[i].size > 0)
            fprintf(out, "<li><a href=\"#%s\">%s</a></li>\n", report_sections[i].id,
                    report_sections[i].title);
    fputs("</ol>\n</nav>\n", out);
}

static void put_page(const report *r, FILE *out, const memory *body)
{
    put_head(r, out);
    fputs("<header>\n", out);
    markup_element(out, "h1", r->title);
    fputc('\n', out);
    put_lead(r, out);
    put_contents(out, body);
    fputs("</header>\n<main>\n", out);
    for (size_t i = 0; report_sections[i].id != NULL; i++) {
        if (body[i].size == 0)
            continue;
        fprintf(out, "<section id=\"%s\">\n<h2>%s</h2>\n", report_sections[i].id,
                report_sections[i].title);
        fputs(body[i].text, out);
        fputs("</section>\n", out);
    }
    fputs("</main>\n<footer>Made by outlierscope " PACKAGE_VERSION " from the files listed under "
          "<a href=\"#provenance\">Provenance</a>.</footer>\n</body>\n</html>\n", out);
}

osc_status report_write(report *r, FILE *out)
{
    memory body[SECTIONS_MOST];
    size_t done = 0;
    osc_status status = OSC_OK;
    while (report_sections[done].id != NULL && done < SECTIONS_MOST && status == OSC_OK) {
        status = begin_memory(&body[done]);
        if (status == OSC_OK)
            status = end_memory(&body[done], report_sections[done].write(r, body[done].stream));
        done += status == OSC_OK;
    }
    if (status == OSC_OK)
        put_page(r, out, body);
    for (size_t i = 0; i < done; i++)
        free(body[i].text);
    return status;
}
