/* The scale is a path in OKLab's cylinder (Ottosson 2020, "A perceptual color space
 * for image processing"): lightness linear, hue turning from yellow to blue. */
#include <config.h>
#include "analyses/palette.h"

#include <math.h>
#include <stdio.h>

static double cut(double value)
{
    return value > 1 ? 1 : value > 0 ? value : 0;   /* NaN becomes 0 */
}

double palette_lightness(double share)
{
    return 0.945 - 0.675 * cut(share);
}

/* Linear light to an sRGB byte. */
static int to_byte(double linear)
{
    double v = cut(linear);
    v = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
    return (int)lrint(255 * v);
}

void palette_color(char color[PALETTE_TEXT], double share)
{
    const double pi = acos(-1.0);
    double s = cut(share);
    double lightness = palette_lightness(s);
    double chroma = 0.075 + 0.035 * sin(pi * s) + 0.03 * s;
    double hue = (102 + 168 * s) * pi / 180;
    double a = chroma * cos(hue), b = chroma * sin(hue);
    double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    double z = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    snprintf(color, PALETTE_TEXT, "#%02x%02x%02x",
             to_byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * z) & 0xff,
             to_byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * z) & 0xff,
             to_byte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * z) & 0xff);
}

const char *palette_series(size_t series)
{
    static const char *const colors[PALETTE_SERIES] = {
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
    };
    return colors[series % PALETTE_SERIES];
}
