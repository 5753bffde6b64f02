#include <config.h>
#include "analyses/record_text.h"

#include <stdio.h>

const char *record_parameters_text(char *text, size_t size, uint64_t parameters)
{
    static const struct { double unit; const char *letter; } units[] = {
        { 1e12, "T" }, { 1e9, "B" }, { 1e6, "M" }, { 1e3, "K" }, { 1, "" },
    };
    size_t i = 0;
    while (units[i].unit > 1 && (double)parameters < 0.9995 * units[i].unit)
        i++;
    double value = (double)parameters / units[i].unit;
    int decimals = value < 99.95 && units[i].unit > 1 ? 1 : 0;
    snprintf(text, size, "%.*f%s", decimals, value, units[i].letter);
    return text;
}

int record_protocol_text(char *text, size_t size, const osc_record_info *info,
                         const char *protocol, const char *scheme)
{
    char bos[24] = "no bos";
    if (info->bos >= 0)
        snprintf(bos, sizeof bos, "bos %d", (int)info->bos);
    return snprintf(text, size, "%zu sequence%s of up to %zu ids, %zu scored, protocol %s, %s, "
                    "scheme %s", info->sequences_done, info->sequences_done == 1 ? "" : "s",
                    info->sequence_length, info->scored, protocol, bos, scheme);
}

const char *record_shard_text(char *text, size_t size, const osc_record_info *info)
{
    text[0] = '\0';
    if (info->shards > 1)
        snprintf(text, size, "shard %zu of %zu, sequences %zu to %zu of %zu: a part of the text",
                 info->shard, info->shards, info->first_sequence,
                 info->first_sequence + info->sequences - 1, info->corpus_sequences);
    return text;
}
