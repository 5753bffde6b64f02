/* The parts of the command `report`: a folder of results in, one HTML page out. */
#ifndef ANALYSES_REPORT_H
#define ANALYSES_REPORT_H

#include "analyses/ablation.h"
#include "analyses/outliers.h"
#include "analyses/schemes.h"
#include "analyses/zeroshot.h"

/* What one set of numbers was measured on and by what; strings are owned, "" if not
 * recorded. */
typedef struct {
    char    *file, *model, *arch, *dtype, *weights, *tokenizer, *text, *protocol, *scheme,
            *backend, *tool, *command, *time, *merged;
    const char *content;         /* static: "record", "schemes", ... */
    uint64_t parameters;         /* 0: not recorded, as for: */
    size_t   layers, hidden, heads, ffn, sequences, length, scored;
    int32_t  bos;                /* SCHEME_BOS_UNKNOWN: not recorded */
    double   alpha;              /* NaN: not recorded */
} report_source;

typedef struct {
    char *file, *message;        /* owned */
} report_notice;

typedef struct {
    const char     *folder, *title;
    json_t         *sweep;       /* sweep.json, or NULL */
    outlier_result *record;      /* [records]; their paths are relative to the folder */
    size_t          records, record_room;
    scheme_cells    schemes;     /* related, each scheme of a group once */
    scheme_cells    study;       /* of threshold studies, as schemes_plot_study wants them */
    zeroshot_cells  zeroshot;    /* each model, scheme, task and bos once */
    ablation       *ablation;    /* [ablations]; and the file of each, owned: */
    char          **ablation_file;
    size_t          ablations, ablation_room, ablation_file_room;
    report_source  *source;
    size_t          sources, source_room;
    report_notice  *notice;      /* files that were not understood */
    size_t          notices, notice_room;
    size_t          figures, tables;     /* numbered so far */
} report;

/* Reads the results in `folder` and its subfolder cells, each recognised by what is in it,
 * in the order of their names, but for the file `output`.  A file that cannot be read
 * becomes a notice.  OSC_ENOTFOUND if there is nothing to report.  Released with
 * report_free, also after a failure. */
osc_status report_read(report *r, const char *folder, const char *output);
void report_free(report *r);

/* --- report_source.c -------------------------------------------------------------- */

/* Appends what is known of the origin of some numbers; copies all strings. */
osc_status report_add_source(report *r, const report_source *source);
osc_status report_add_record_source(report *r, const char *file, const osc_record_info *info);
osc_status report_add_scheme_source(report *r, const char *file, const scheme_cell *cell);
osc_status report_add_ablation_source(report *r, const char *file, const ablation *a);
osc_status report_add_zeroshot_source(report *r, const char *file, const zeroshot_cell *cell);
void report_free_source(report_source *source);

/* Notes that `file` gave `message`, whose "FOLDER/" in front is cut. */
osc_status report_add_notice(report *r, const char *file, const char *message);

/* --- report_page.c ---------------------------------------------------------------- */

/* Writes the page: well-formed XML as well as HTML, one file, the same bytes for the same
 * results. */
osc_status report_write(report *r, FILE *out);

/* Begins a numbered figure or table with its caption (printf style), to be ended by
 * report_end. */
__attribute__((format(printf, 3, 4)))
void report_begin_table(report *r, FILE *out, const char *caption, ...);
void report_end(FILE *out);

/* A numbered figure: what `draw` writes, an SVG file, becomes part of the page. */
typedef osc_status (*report_draw)(const void *user, FILE *out);
__attribute__((format(printf, 5, 6)))
osc_status report_figure(report *r, FILE *out, report_draw draw, const void *user,
                         const char *caption, ...);

/* A section writes nothing if it has nothing to say. */
typedef struct {
    const char  *id, *title;
    osc_status (*write)(report *r, FILE *out);
} report_section;

/* --- report_sections.c, report_summary.c, report_provenance.c ---------------------- */

/* In the order of the page; ends with an id of NULL. */
extern const report_section report_sections[];

osc_status report_write_summary(report *r, FILE *out);
osc_status report_write_provenance(report *r, FILE *out);

/* --- report_style.c ---------------------------------------------------------------- */

/* Lines of CSS, ended by NULL. */
extern const char *const report_style[];

#endif
