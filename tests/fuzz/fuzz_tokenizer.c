/* Tokenizer files, one of them made of the bytes, which are then encoded. */
#include "fuzz.h"

#include "osc.h"

#include <stdio.h>

/* A vocabulary of the 256 byte letters, so that merges and vocabularies have something to
 * suit, as GPT-2 writes bytes. */
static size_t letters(char *json, size_t room)
{
    size_t size = 0, extra = 0;
    json[size++] = '{';
    for (unsigned b = 0; b < 256; b++) {
        bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        unsigned code = itself ? b : 256 + (unsigned)extra++;
        size += (size_t)snprintf(json + size, room - size, "%s\"\\u%04x\":%u", b ? "," : "",
                                 code, b);
    }
    return size + (size_t)snprintf(json + size, room - size, ",\"ab\":256}");
}

FUZZ_TARGET(tokenizer)
{
    enum { VOCAB, MERGES, JSON, KINDS };
    static const char merges[] = "#version: 0.2\na b\n";
    static char vocab[8192];
    static size_t length;
    osc_tokenizer *tokenizer;
    if (length == 0)
        length = letters(vocab, sizeof vocab);
    size_t kind = fuzz_choice(&data, &size, KINDS);
    if (kind == JSON) {
        fuzz_remove("vocab.json");
        fuzz_remove("merges.txt");
        fuzz_file("tokenizer.json", data, size);
    } else {
        fuzz_remove("tokenizer.json");
        fuzz_file("vocab.json", kind == VOCAB ? data : (const uint8_t *)vocab,
                  kind == VOCAB ? size : length);
        fuzz_file("merges.txt", kind == MERGES ? data : (const uint8_t *)merges,
                  kind == MERGES ? size : sizeof merges - 1);
    }
    if (osc_tokenizer_open(&tokenizer, fuzz_folder()) != OSC_OK)
        return;
    osc_ids ids = { 0 };
    (void)osc_tokenizer_encode(tokenizer, &ids, (const char *)data, size < 4096 ? size : 4096);
    osc_ids_clear(&ids);
    osc_tokenizer_close(tokenizer);
}
