/* Where a run left the numbers: the first activation that is infinite or not a number. */
#ifndef EXPERIMENTS_NONFINITE_H
#define EXPERIMENTS_NONFINITE_H

#include "osc.h"

/* If a value of `nll`, of sequences first .. first+count-1 of the corpus as from
 * osc_session_run without hooks that write, is not finite: runs that sequence once more and
 * tells on stderr the hook point, block, position and feature of the first activation that is
 * not, once in a process.  `layers`: blocks of the model. */
osc_status nonfinite_tell(osc_session *session, const osc_corpus *corpus, size_t first,
                          size_t count, const double *nll, size_t layers);

#endif
