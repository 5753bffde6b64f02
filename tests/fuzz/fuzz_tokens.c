/* Token files. */
#include "fuzz.h"

#include "osc.h"

FUZZ_TARGET(tokens)
{
    osc_corpus *corpus;
    if (osc_corpus_read_tokens(&corpus, fuzz_file("a.tokens", data, size), 0) != OSC_OK)
        return;
    (void)osc_corpus_check(corpus, 1000, 100);
    osc_corpus_free(corpus);
}
