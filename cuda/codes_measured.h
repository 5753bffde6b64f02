/* Made by codes_measured.py of one run of bench_codes on an NVIDIA H200; not to be edited.
 * Lines of osc_cuda_codes_choice's table. */
{ 3, 3, CODES_FC2, 8128, SIZE_MAX, CODES_CUBLASLT },   /* 3 rows, 9216 to 12288 */
{ 4, 5, CODES_FC2, 4580, 6058, CODES_FEW_MMA },   /* 4 rows, 5120 to 5120 */
{ 4, 5, CODES_FC2, 8128, SIZE_MAX, CODES_CUBLASLT },   /* 4 rows, 9216 to 12288 */
{ 6, 9, CODES_FC1, 6059, 8127, CODES_CUBLASLT },   /* 8 rows, 7168 to 7168 */
{ 6, 9, CODES_FC2, 8128, SIZE_MAX, CODES_CUBLASLT },   /* 8 rows, 9216 to 12288 */
{ 10, 13, CODES_FC1, 4580, SIZE_MAX, CODES_CUBLASLT },   /* 12 rows, 5120 to 12288 */
{ 10, 13, CODES_FC2, 0, SIZE_MAX, CODES_CUBLASLT },   /* 12 rows, 768 to 12288 */
{ 10, 13, CODES_SQUARE, 6059, SIZE_MAX, CODES_CUBLASLT },   /* 12 rows, 7168 to 12288 */
{ 14, 22, CODES_FC1, 4580, SIZE_MAX, CODES_CUBLASLT },   /* 16 rows, 5120 to 12288 */
{ 14, 22, CODES_FC2, 887, SIZE_MAX, CODES_CUBLASLT },   /* 16 rows, 1024 to 12288 */
{ 14, 22, CODES_SQUARE, 4580, SIZE_MAX, CODES_CUBLASLT },   /* 16 rows, 5120 to 12288 */
{ 23, 45, CODES_FC1, 8128, 10641, CODES_CUBLASLT },   /* 32 rows, 9216 to 9216 */
{ 23, 45, CODES_FC2, 887, SIZE_MAX, CODES_CUBLASLT },   /* 32 rows, 1024 to 12288 */
{ 23, 45, CODES_SQUARE, 6059, SIZE_MAX, CODES_CUBLASLT },   /* 32 rows, 7168 to 12288 */
{ 46, 90, CODES_FC2, 1449, SIZE_MAX, CODES_CUBLASLT },   /* 64 rows, 2048 to 12288 */
{ 91, 256, CODES_FC2, 1449, 3238, CODES_CUBLASLT },   /* 128 rows, 2048 to 2560 */
