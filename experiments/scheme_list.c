#include <config.h>
#include "experiments/scheme_list.h"

#include <math.h>
#include <string.h>

void scheme_list_free(scheme_list *list)
{
    osc_free(list->text);
    osc_free(list->threshold);
    *list = (scheme_list){ .text = NULL };
}

osc_status scheme_list_add(scheme_list *list, const char *text, double threshold)
{
    osc_scheme_choice choice;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->text[i], text) == 0)
            return OSC_OK;
    OSC_TRY(osc_scheme_parse(&choice, text));
    if (list->count == SCHEME_LIST_MOST)
        return osc_fail(OSC_EINVAL, "more than %d schemes", SCHEME_LIST_MOST);
    if (list->text == NULL) {
        list->text = osc_alloc(SCHEME_LIST_MOST, sizeof *list->text);
        list->threshold = osc_alloc(SCHEME_LIST_MOST, sizeof *list->threshold);
        if (list->text == NULL || list->threshold == NULL)
            return OSC_ENOMEM;
    }
    strcpy(list->text[list->count], choice.text);
    list->threshold[list->count++] = threshold;
    return OSC_OK;
}

/* --- lists ---------------------------------------------------------------------- */

osc_status scheme_list_each(const char *option, const char *text, scheme_list_item use,
                            void *user)
{
    for (const char *at = text; ; at++) {
        char item[128];
        size_t length = strcspn(at, ",");
        if (length == 0 || length >= sizeof item)
            return osc_fail(OSC_EINVAL, "--%s '%s': an item of %zu characters", option, text,
                            length);
        memcpy(item, at, length);
        item[length] = '\0';
        osc_status status = use(user, item);
        if (status != OSC_OK)
            return osc_fail(status, "--%s: %s", option, osc_error());
        at += length;
        if (*at == '\0')
            return OSC_OK;
    }
}

static osc_status add_name(void *user, const char *item)
{
    if (strchr(item, ':') != NULL)
        return osc_fail(OSC_EINVAL, "'%s' has options: use --scheme, once for each such scheme",
                        item);
    return scheme_list_add(user, item, NAN);
}

static osc_status add_all(scheme_list *list)
{
    for (size_t i = 0; osc_schemes[i] != NULL; i++)
        OSC_TRY(scheme_list_add(list, osc_schemes[i]->name, NAN));
    return OSC_OK;
}

osc_status scheme_list_add_options(scheme_list *list, const char *names, const cli_list *schemes)
{
    if (names != NULL && strcmp(names, "all") == 0)
        OSC_TRY(add_all(list));
    else if (names != NULL)
        OSC_TRY(scheme_list_each("schemes", names, add_name, list));
    for (size_t i = 0; i < schemes->count; i++)
        if (scheme_list_add(list, schemes->item[i], NAN) != OSC_OK)
            return osc_fail(OSC_EINVAL, "--scheme: %s", osc_error());
    return OSC_OK;
}
