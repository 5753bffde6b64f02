"""Writes the small tokenizers of this folder and what the tokenizers package makes of some
lines with them: KIND.json is the tokenizer.json, KIND.ids.json has for each string of
lines.json its ids with special tokens, and lists of ids with their text.

    pip install tokenizers==0.23.3 && python make.py ../../../share/sampled.txt
"""
import json
import random
import sys

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

TEXT = open(sys.argv[1], encoding="utf8").read() + (
    "\u65e5\u672c\u8a9e \u30c6\u30b9\u30c8\u3002 \u4e2d\u6587 "
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u041f\u0440\u0438\u0432\u0435\u0442 "
    "\u043c\u0438\u0440 caf\u00e9 \U0001f916 don't I'LL 123 \u0968 ") * 20
BLOOM = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"
LLAMA3 = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
          " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")
byte_level = pre_tokenizers.ByteLevel


def template(token, id):
    return processors.TemplateProcessing(single=f"{token} $A", pair=f"{token} $A {token} $B",
                                         special_tokens=[(token, id)])


def lines_of(text):
    return (line + "\n" for line in text.split("\n"))


def make_bytes(pre, special, **model):
    made = Tokenizer(models.BPE(**model))
    made.pre_tokenizer, made.decoder = pre, decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    made.train_from_iterator(lines_of(TEXT), trainers.BpeTrainer(
        vocab_size=420, special_tokens=special, show_progress=False,
        initial_alphabet=byte_level.alphabet()))
    return made


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    byte_level(add_prefix_space=False, use_regex=False)])


def make_characters(legacy):
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    made.train_from_iterator((line for line in TEXT.split("\n") if line), trainers.BpeTrainer(
        vocab_size=480, limit_alphabet=90, show_progress=False,
        special_tokens=["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]))
    parsed = json.loads(made.to_str())
    parsed["added_tokens"] = parsed["added_tokens"][:3]
    made = Tokenizer.from_str(json.dumps(parsed))
    if legacy:
        made.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"),
                                                normalizers.Replace(" ", "\u2581")])
        made.pre_tokenizer = None
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    made.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(),
                                      decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    made.post_processor = template("<s>", 1)
    return made


def make_unknown():
    """Without byte fallback: characters that are no tokens, several in a row, stay unknown."""
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Metaspace(prepend_scheme="always", split=True)])
    made.train_from_iterator(lines_of(TEXT), trainers.BpeTrainer(
        vocab_size=300, limit_alphabet=60, show_progress=False, special_tokens=["<unk>"]))
    made.decoder = decoders.Metaspace(prepend_scheme="always", split=True)
    return made


def add_all(made):
    """Added tokens of every sort."""
    for content, options in [
            ("<tool>", dict(lstrip=True, rstrip=True, special=True)),
            ("norm", dict(normalized=True)), ("word", dict(single_word=True)),
            ("<|a|>", {}), ("<|a|>b", {}), ("\n\n", dict(rstrip=True)),
            (" spaced ", dict(normalized=True, rstrip=True)),
            ("\t", dict(lstrip=True, rstrip=True))]:
        made.add_tokens([AddedToken(content, **{"normalized": False, **options})])
    return made


def make_all():
    yield "bloom", make_bytes(split(BLOOM), ["<unk>", "<s>", "</s>", "<pad>"])
    llama3 = make_bytes(split(LLAMA3), [], ignore_merges=True)
    llama3.add_special_tokens(["<|begin_of_text|>", "<|eot_id|>"])
    bos = "<|begin_of_text|>"
    llama3.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=False), template(bos, llama3.token_to_id(bos))])
    yield "llama3", llama3
    yield "llama", make_characters(True)
    yield "llama-metaspace", make_characters(False)
    yield "llama-added", add_all(make_characters(True))
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                      byte_level(add_prefix_space=True)])
    yield "prefix-digits-added", add_all(make_bytes(digits, []))
    yield "metaspace-split", make_unknown()


PARTS = [
    "Hello", " world", "  ", "\n", "\n\n", "\t", "\r\n", " \n ", "\u00a0", "\u3000", "don't",
    "I'LL", "it'\u017f", "'s", "1234567", "3.14", "\u0968\u0969", "\u00b2\u2167", "!?", "...",
    "(a)", "|", "\u3002", "\u3001", "\u06d4", "\u0964", "\u2026", "\u65e5\u672c\u8a9e", "\u4e2d\u6587",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "\u0928\u092e\u0938\u094d\u0924\u0947",
    "caf\u00e9", "e\u0301", "\U0001f916", "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469",
    "\u2764\ufe0f", "\u200b", "\x01\x1f\x7f", "<s>", "</s>", "<unk>", "<|begin_of_text|>",
    "<|a|>", "<|a|>b", "<tool>", " <tool> ", "norm", " norm", "word", "swords", "word\u0301",
    "_word", " spaced ", "\u2581", "<0x0A>", "the", " the", " of", "ing", "x" * 70, " " * 70]


def make_lines():
    random.seed(1)
    lines = ["", " ", "\n", "a"] + PARTS
    for i in range(90):
        lines.append("".join(random.choice(PARTS) + random.choice(["", "", " "])
                             for _ in range(random.randrange(2, 7))))
    return lines


def write(name, value):
    with open(name, "w", encoding="ascii") as file:
        json.dump(value, file, separators=(",", ":"))
        file.write("\n")


def main():
    lines = make_lines()
    write("lines.json", lines)
    for kind, tokenizer in make_all():
        write(kind + ".json", json.loads(tokenizer.to_str()))
        size = tokenizer.get_vocab_size()
        texts = [[random.randrange(size if i % 2 else 300) for _ in range(i % 9)]
                 for i in range(60)]
        decoded = [(ids, tokenizer.decode(ids, skip_special_tokens=False)) for ids in texts]
        write(kind + ".ids.json", {
            "encoded": [encoded.ids for encoded in tokenizer.encode_batch(lines)],
            "decoded": [[ids, text] for ids, text in decoded if "\0" not in text],
        })


main()
