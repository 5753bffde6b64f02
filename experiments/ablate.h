/* ablate: what its files share. */
#ifndef EXPERIMENTS_ABLATE_H
#define EXPERIMENTS_ABLATE_H

#include "analyses/ablation.h"
#include "experiments/run.h"

typedef struct {
    run_options   run;
    const char   *model, *record, *features, *scheme;
    const char   *points_text, *mode_text, *format_name, *output, *plot;
    size_t        top;               /* 0: not asked for */
    size_t        draws, seed;
    double        alpha;             /* negative: not given */
    bool          cumulative, force, dry;
    unsigned      points;
    ablation_mode mode;
    table_format  format;
} ablate_options;

/* One run under way. */
typedef struct {
    const ablate_options *options;
    run_input             input;
    osc_session          *session;
    char                  label[300];            /* of the pass that is running */
    double               *nll;                   /* [ids of the corpus] */
    osc_observer         *observed;              /* of the regular run; NULL: not made */
    osc_perplexity        regular;               /* of the same run */
    float                *mean[OSC_POINT_COUNT]; /* [layers, hidden]: features become it; or NULL */
    ablation_candidates   candidates;
    ablation             *result;
} ablate_run;

/* All of it: fills `result`, whose `command` is already there.  OSC_STOP after a signal
 * (stop.h).  The result is released by the caller, whatever comes back. */
osc_status ablate_measure(ablation *result, const ablate_options *options);

/* --- between the files ------------------------------------------------------------------ */

/* The whole corpus through the model, as the pass called `what`; `p` may be NULL: then
 * the head is not computed. */
osc_status ablate_pass(ablate_run *r, osc_perplexity *p, const osc_hooks *hooks, const char *what);

/* ablate_observe.c: the regular run with column statistics of `points`, into r->observed
 * and r->regular.  With `judge` also which features reach alpha in a tracked tensor and
 * are outliers by the default rule, into r->candidates. */
osc_status ablate_observe(ablate_run *r, unsigned points, float alpha, bool judge);

/* ablate_choose.c: observes if need be; the features, the draws, the means. */
osc_status ablate_choose(ablate_run *r);

/* ablate_passes.c: all measures of the sets in r->result. */
osc_status ablate_run_passes(ablate_run *r);

#endif
