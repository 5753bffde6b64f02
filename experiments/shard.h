/* The value of --shard. */
#ifndef EXPERIMENTS_SHARD_H
#define EXPERIMENTS_SHARD_H

#include "osc.h"

/* "2/8": 1 <= *shard <= *shards; NULL is 1/1.  OSC_EINVAL. */
osc_status shard_parse(size_t *shard, size_t *shards, const char *text);

#endif
