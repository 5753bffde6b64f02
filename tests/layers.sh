# TAP: the folders of src/ are layers; a file includes only its own folder and
# folders to its left in `order`.  hdf5.h is for src/record (and cuda headers for
# cuda/, GSL for analyses/) alone.
src=${srcdir:-.}
order="base tensor backend quant store text engine arch record"
echo 1..4

allowed="" bad=""
for layer in $order; do
    allowed="$allowed|$layer"
    for file in "$src/src/$layer"/*.[ch]; do
        test -f "$file" || continue
        wrong=$(sed -n 's|^#include "\([a-z]*\)/.*|\1|p' "$file" | grep -Evx "${allowed#|}" | tr '\n' ' ')
        test -z "$wrong" || bad="$bad $file:$wrong"
    done
done
if test -z "$bad"; then echo "ok 1 - layers of src/ include only what lies below"
else echo "not ok 1 - layers broken by$bad"; fi

only() {   # number, pattern, folder, what
    found=$(grep -lE "$2" "$src"/src/*/*.[ch] "$src"/src/*.[ch] "$src"/cuda/*.[ch]* "$src"/cli/*.[ch] \
            "$src"/analyses/*.[ch] "$src"/experiments/*.[ch] 2>/dev/null | grep -v "^$src/$3/")
    if test -z "$found"; then echo "ok $1 - $4 only in $3"
    else echo "not ok $1 - $4 included by" $found; fi
}
only 2 '<hdf5\.h>' src/record "hdf5.h"
only 3 '<(cuda|cublas)[A-Za-z_]*\.h>' cuda "CUDA headers"
only 4 '<gsl/' analyses "GSL"
