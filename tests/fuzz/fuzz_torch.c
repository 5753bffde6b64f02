/* pytorch_model.bin, a zip file or a stream of pickles, its config given. */
#include "fuzz.h"

FUZZ_TARGET(torch)
{
    fuzz_store("pytorch_model.bin", data, size);
}
