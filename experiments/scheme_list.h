/* A list of matmul schemes from --schemes and --scheme. */
#ifndef EXPERIMENTS_SCHEME_LIST_H
#define EXPERIMENTS_SCHEME_LIST_H

#include "cli/cli.h"
#include "osc.h"

enum { SCHEME_LIST_MOST = 2048 };

typedef struct {
    char  (*text)[256];        /* [count] "llm-int8:threshold=6" */
    double *threshold;         /* [count] of a threshold study; NaN elsewhere */
    size_t  count;
} scheme_list;

/* The same scheme twice is one.  OSC_EINVAL if there is no such scheme. */
osc_status scheme_list_add(scheme_list *list, const char *text, double threshold);
/* --schemes (all, or a,b,c; may be NULL), then --scheme, which may have options. */
osc_status scheme_list_add_options(scheme_list *list, const char *names, const cli_list *schemes);
void scheme_list_free(scheme_list *list);

/* Calls `use` for every part of "a,b,c"; messages name the option. */
typedef osc_status (*scheme_list_item)(void *user, const char *item);
osc_status scheme_list_each(const char *option, const char *text, scheme_list_item use,
                            void *user);

#endif
