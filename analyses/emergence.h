/* The parts of the command `emergence`: how outlier features grow with size and with
 * falling perplexity over a family of models, a record each. */
#ifndef ANALYSES_EMERGENCE_H
#define ANALYSES_EMERGENCE_H

#include "analyses/fit.h"
#include "analyses/outliers.h"
#include "analyses/ranks.h"

/* What is known of a model.  To add one: a name here and a line in
 * emergence_quantities; to relate it to another: a line in emergence_relations, and
 * for a figure of its own a name and a line in emergence_figures. */
typedef enum {
    EMERGENCE_PARAMETERS, EMERGENCE_PERPLEXITY, EMERGENCE_COUNT, EMERGENCE_LAYERS,
    EMERGENCE_POSITIONS, EMERGENCE_MEDIAN,
    EMERGENCE_HE_KURTOSIS, EMERGENCE_MMR, EMERGENCE_INF_NORM, EMERGENCE_KURTOSIS,
    EMERGENCE_MASSIVE,                 /* from the record's metrics (analyses/metrics.h) */
    EMERGENCE_QUANTITIES
} emergence_quantity;

/* The paper's figures, by their numbers there, and the metrics over the same two axes. */
typedef enum {
    EMERGENCE_3A, EMERGENCE_3B, EMERGENCE_4A, EMERGENCE_4B,
    EMERGENCE_METRICS_SIZE, EMERGENCE_METRICS_PERPLEXITY, EMERGENCE_FIGURES
} emergence_figure;

enum { EMERGENCE_RELATIONS = 17, EMERGENCE_NAME = 64 };

typedef struct {
    outlier_options outliers;
    bool            mean;        /* layers and positions: mean over the outliers, not those
                                    of the most common one */
    bool            published;   /* the paper's models beside the records */
    uint64_t        seed;        /* of permutations */
} emergence_options;

typedef struct {
    char   name[EMERGENCE_NAME];             /* unlike that of any other point of the family */
    double value[EMERGENCE_QUANTITIES];      /* shares as fractions; NaN: there is none */
    bool   incomplete;
} emergence_point;

typedef struct {
    ranks_result ranks;
    fit_result   fit;
} emergence_outcome;

typedef struct {
    emergence_point  *point;                         /* [count], the worst perplexity first */
    size_t            count;
    emergence_outcome outcome[EMERGENCE_RELATIONS];
} emergence_family;

typedef struct {
    emergence_options options;
    outlier_result   *result;       /* [records.count], in the order of the points */
    emergence_family  records;
    emergence_family  published;    /* count 0 unless asked for; never mixed with records */
} emergence_set;

typedef struct {
    const char *key;                /* in JSON */
    const char *header, *unit;      /* of a table's column; the name in relations */
    const char *axis;               /* of a figure */
    int         decimals;
    bool        log;                /* curves and axes are over its logarithm */
    bool        log_if_wide;        /* axes alone, where they span more than a decade */
    bool        reversed;           /* better models to the right */
    bool        whole;              /* whole numbers */
    bool        optional;           /* left out where no record has it */
    double    (*of_record)(const outlier_result *r, const emergence_options *options);
    double    (*of_published)(size_t model);     /* NULL: not printed in the paper */
} emergence_quantity_info;
extern const emergence_quantity_info emergence_quantities[EMERGENCE_QUANTITIES];

typedef struct {
    emergence_quantity x, y;
    fit_form           form;
    int                figure;      /* emergence_figure, or -1 */
} emergence_relation;
extern const emergence_relation emergence_relations[EMERGENCE_RELATIONS];

typedef struct {
    const char *key;                /* in file names and JSON */
    const char *number;             /* the paper's: "3a"; "" if it is not there */
    const char *title;
} emergence_figure_info;
extern const emergence_figure_info emergence_figures[EMERGENCE_FIGURES];

/* Is the quantity to be shown: are there points, and is it not optional or known of one? */
bool emergence_known(const emergence_family *family, emergence_quantity q);
/* Both quantities of a relation; some relation of a figure. */
bool emergence_relates(const emergence_family *family, size_t relation);
bool emergence_has_figure(const emergence_set *set, emergence_figure figure);

/* Where a value is for the curves: log10 of it if the axis is logarithmic. */
double emergence_abscissa(emergence_quantity x, double value);

/* Reads the records and computes every relation.  Messages name the record.  Released
 * with emergence_free. */
osc_status emergence_read(emergence_set *set, char *const *paths, size_t count,
                          const emergence_options *options);
void emergence_free(emergence_set *set);

/* One figure, or (EMERGENCE_FIGURES) those of the paper on one sheet, as an SVG document.
 * OSC_ENOTFOUND if the records do not have the figure's quantities. */
osc_status emergence_draw(const emergence_set *set, emergence_figure figure, FILE *out);

/* The points, a row each; the relations between them, a row each. */
osc_status emergence_write_points(const emergence_set *set, table_format format, FILE *out);
osc_status emergence_write_relations(const emergence_set *set, table_format format, FILE *out);
osc_status emergence_write_json(const emergence_set *set, FILE *out);

/* --- emergence_cautions.c --------------------------------------------------------------- */

/* Are the records alike in scheme, protocol, text, tokenizer, sequences, alpha and tracked
 * tensors? */
bool emergence_alike(const emergence_set *set);

/* Calls `say` with each reason why the points may not belong together: records that
 * differ in what must be alike, incomplete ones, two of one model. */
void emergence_cautions(const emergence_set *set, void (*say)(void *user, const char *text),
                        void *user);

/* --- emergence_text.c: sentences for tables and figures; each returns `text` ---------- */

/* What the measures of the metrics' figures are. */
extern const char emergence_measures[];

/* "He kurtosis by parameters" */
const char *emergence_relation_text(char *text, size_t size, const emergence_relation *r);
/* "rho = -0.966, p = 2.6e-05 (exact, n = 10)", or why there is none. */
const char *emergence_ranks_text(char *text, size_t size, const ranks_result *ranks);
/* "logistic, midpoint 1.2B [570M, 2.5B], slope 1.66 [0.64, 2.69]", or "no curve: " and
 * why. */
const char *emergence_fit_text(char *text, size_t size, const emergence_relation *r,
                               const fit_result *fit);
/* "midpoint 1.2B [570M, 2.5B], slope 1.66 [0.64, 2.69]"; "-" if there is no curve. */
const char *emergence_parameters_text(char *text, size_t size, const emergence_relation *r,
                                      const fit_result *fit);

#endif
