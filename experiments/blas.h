/* OpenBLAS's choice of kernels, corrected. */
#ifndef EXPERIMENTS_BLAS_H
#define EXPERIMENTS_BLAS_H

/* OpenBLAS knows processors by their model numbers, and takes kernels of 2004 for one
 * that is newer than itself.  Where that happened it can be told by its environment
 * alone, before it is loaded: then this starts the program once more.  Returns
 * where nothing is to be done, or nothing can be; a user's OPENBLAS_CORETYPE stands.
 * `argv` ends with NULL. */
void blas_correct_kernels(char **argv);

#endif
