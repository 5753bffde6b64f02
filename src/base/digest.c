#include <config.h>
#include "base/digest.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/alloc.h"

struct osc_digest {
    EVP_MD_CTX *context;
};

osc_status osc_digest_create(osc_digest **digest)
{
    osc_digest *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->context = EVP_MD_CTX_new();
    if (made->context == NULL || EVP_DigestInit_ex(made->context, EVP_sha256(), NULL) != 1) {
        osc_digest_free(made);
        return osc_fail(OSC_ENOMEM, "cannot start a SHA-256 digest");
    }
    *digest = made;
    return OSC_OK;
}

void osc_digest_free(osc_digest *digest)
{
    if (digest != NULL)
        EVP_MD_CTX_free(digest->context);
    osc_free(digest);
}

osc_status osc_digest_add(osc_digest *digest, const void *data, size_t size)
{
    if (size > 0 && EVP_DigestUpdate(digest->context, data, size) != 1)
        return osc_fail(OSC_ENOMEM, "cannot compute a SHA-256 digest");
    return OSC_OK;
}

osc_status osc_digest_finish(osc_digest *digest, char hex[OSC_DIGEST_HEX])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    if (EVP_DigestFinal_ex(digest->context, bytes, NULL) != 1)
        return osc_fail(OSC_ENOMEM, "cannot compute a SHA-256 digest");
    for (size_t i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return OSC_OK;
}
