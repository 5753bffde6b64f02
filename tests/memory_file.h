/* A stream in memory, for functions that write to a FILE. */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    FILE  *stream;
    char  *text;       /* after memory_close */
    size_t size;
} memory_file;

static inline FILE *memory_open(memory_file *file)
{
    file->stream = open_memstream(&file->text, &file->size);
    ck_assert_ptr_nonnull(file->stream);
    return file->stream;
}

/* The text written; the caller frees it. */
static inline char *memory_close(memory_file *file)
{
    ck_assert_int_eq(fclose(file->stream), 0);
    return file->text;
}

#endif
