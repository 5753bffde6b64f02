/* Text files: plain, JSON lines, JSON, compressed. */
#include "fuzz.h"

#include "osc.h"

FUZZ_TARGET(documents)
{
    static const char *const names[] = { "text.txt", "text.jsonl", "text.json", "text.jsonl.gz" };
    osc_documents *documents;
    size_t choice = fuzz_choice(&data, &size, sizeof names / sizeof *names);
    if (osc_documents_read(&documents, fuzz_file(names[choice], data, size)) != OSC_OK)
        return;
    volatile char sum = 0;
    for (size_t i = 0; i < osc_documents_count(documents); i++) {
        osc_document d = osc_documents_at(documents, i);
        for (size_t b = 0; b < d.size; b++)
            sum = (char)(sum ^ d.text[b]);
    }
    osc_documents_free(documents);
}
