/* pytorch_model.bin, in either form of torch.save. */
#include <config.h>
#include "store/torch.h"

#include <string.h>

static bool begins_with(const osc_mapping *file, const void *start, size_t size)
{
    return file->size >= size && memcmp(file->data, start, size) == 0;
}

static osc_status read_file(struct osc_weights *weights, const char *name)
{
    static const char zip[] = { 'P', 'K', 3, 4 };
    /* A whole pickle: PROTO 2, LONG1 of 10 bytes, STOP. */
    static const uint8_t stream[] = { 0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                      0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e };
    osc_mapping file;
    osc_status status;
    OSC_TRY(osc_weights_map(&file, weights, name));
    if (begins_with(&file, zip, sizeof zip))
        status = osc_torch_zip(weights, &file);
    else if (begins_with(&file, stream, sizeof stream))
        status = osc_torch_stream(weights, &file);
    else
        status = osc_fail(OSC_EFORMAT, "not a file of torch.save: neither a zip file nor a stream "
                          "that begins with its magic number");
    return status == OSC_OK || status == OSC_ENOMEM ? status : osc_fail_in(status, file.path);
}

const struct osc_format osc_format_torch = {
    .name = "PyTorch", .file = "pytorch_model.bin", .read = read_file,
};

const struct osc_format osc_format_torch_shards = {
    .name = "sharded PyTorch", .file = "pytorch_model.bin.index.json", .read = read_file,
    .index = true,
};
