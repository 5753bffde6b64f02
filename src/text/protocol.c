#include <config.h>
#include "text/corpus.h"

#include <string.h>

#include "base/suggest.h"

static const char *const names[OSC_PROTOCOL_COUNT] = {
    [OSC_STREAM] = "stream",
    [OSC_GPTQ] = "gptq",
    [OSC_WIKITEXT2] = "wikitext2",
    [OSC_C4] = "c4",
    [OSC_C4_NEW] = "c4-new",
    [OSC_DOCUMENTS] = "documents",
    [OSC_PIECES] = "pieces",
    [OSC_TOKENS] = "tokens",
};

static const char *const summaries[OSC_PROTOCOL_COUNT] = {
    [OSC_STREAM] = "the ids of all documents, bos before each, form one stream, cut into windows "
                   "with bos in front of each; every id after the first of a window is scored",
    [OSC_GPTQ] = "the documents (of a WikiText .raw file its loader's rows), joined by a blank "
                 "line, form one text with one bos at its start, cut into windows with nothing "
                 "added, a remainder dropped; every id after the first of a window is scored",
    [OSC_WIKITEXT2] = "as GPTQ evaluates WikiText-2: the lines, those of white space empty and the "
                      "others with their newline, joined by two newlines, form one text with one "
                      "bos at its start, cut into windows with nothing added, a remainder "
                      "dropped; every id after the first of a window is scored",
    [OSC_C4] = "as GPTQ evaluates C4: 256 times a document of more ids than a window, bos in front "
               "included, and a window in it are drawn (Python's random, seed 0); every id after "
               "the first of a window is scored",
    [OSC_C4_NEW] = "as GPTQ evaluates C4 with --new-eval: the first 1100 documents, joined by a "
                   "blank, form one text with one bos at its start, of which the first 256 "
                   "windows are taken, nothing added; every id after the first of a window is "
                   "scored",
    [OSC_DOCUMENTS] = "each document, bos in front, is one sequence, cut off at the sequence "
                      "length; every id after the first is scored",
    [OSC_PIECES] = "each document, bos in front, is cut into consecutive sequences, the last one "
                   "shorter; every id after the first of a sequence is scored",
    [OSC_TOKENS] = "the sequences of ids are taken from a file as they are, no bos added; every "
                   "id after the first is scored",
};

const char *osc_protocol_name(osc_protocol protocol)
{
    return names[protocol];
}

const char *osc_protocol_summary(osc_protocol protocol)
{
    return summaries[protocol];
}

osc_status osc_protocol_parse(osc_protocol *protocol, const char *name)
{
    for (size_t i = 0; i < OSC_PROTOCOL_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *protocol = (osc_protocol)i;
            return OSC_OK;
        }
    }
    const char *nearest = osc_nearest(name, names, OSC_PROTOCOL_COUNT);
    if (nearest != NULL)
        return osc_fail(OSC_EINVAL, "unknown protocol '%s', did you mean '%s'?", name, nearest);
    return osc_fail(OSC_EINVAL, "unknown protocol '%s', known are stream, gptq, wikitext2, c4, "
                    "c4-new, documents, pieces and tokens", name);
}
