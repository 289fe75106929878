use std::hash::{BuildHasher, Hasher, RandomState};

use slight_capabilities::QualifiedName;

/// A name that nobody else uses, of characters that need no encoding.
pub(crate) fn unique() -> String {
    format!("conformance-{}", short())
}

/// The same of 17 characters, for what may not be much longer.
pub(crate) fn short() -> String {
    // Each RandomState has keys of its own.
    format!("c{:016x}", RandomState::new().build_hasher().finish())
}

/// A prefix that nobody else uses, under which any names may be taken.
pub(crate) struct Prefix(String);

impl Prefix {
    pub(crate) fn unique() -> Self {
        Self(format!("{}/", unique()))
    }

    pub(crate) fn name(&self, name: &str) -> QualifiedName {
        QualifiedName::new(&self.0, name)
    }
}

/// Prefixes with names that are one text when they are joined, or joined with what a provider may put between them.
pub(crate) fn under_prefixes() -> Vec<QualifiedName> {
    let [one, other, name] = [unique(), unique(), unique()];
    let one_name_under_many = ["", &one, &format!("{one}/"), &format!("{one}-"), &format!("{one}/x/"), &other]
        .map(|prefix| QualifiedName::new(prefix, &name));
    let one_text_cut_anywhere = [
        QualifiedName::new("", format!("{one}-{name}")),
        QualifiedName::new(&one, format!("-{name}")),
        QualifiedName::new("", format!("{one}/x/{name}")),
        QualifiedName::new(&one, format!("/x/{name}")),
        QualifiedName::new(format!("{one}/"), format!("x/{name}")),
        QualifiedName::new(format!("{one}/x"), format!("/{name}")),
    ];
    let what_may_be_between = ["=/", "/=/", "=", ":", "+/", "+", "/", "\0", "."];
    let between = what_may_be_between.map(|between| QualifiedName::new("", format!("{one}{between}{name}")));
    let said_twice = [
        QualifiedName::new("", &one),
        QualifiedName::new(&one, &one),
        QualifiedName::new(&one, format!("=/{name}")),
        QualifiedName::new(&one, format!("{one}=/{name}")),
    ];
    one_name_under_many.into_iter().chain(one_text_cut_anywhere).chain(between).chain(said_twice).collect()
}

/// Names that backends, shells, paths, URLs and patterns have a meaning for, all different, of at most `limit` bytes.
pub(crate) fn odd(limit: usize) -> Vec<String> {
    let short = [
        ":",
        "*",
        "?",
        "[",
        "]",
        "[a-z]",
        "\\",
        "a\\b",
        "/",
        "//",
        "a//b",
        "a/b",
        "/a",
        "a/",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        ".a",
        "a.",
        "a..b",
        " ",
        " a",
        "a ",
        "a b",
        "a\nb",
        "\r\n",
        "\t",
        "\0",
        "a\0b",
        "🦀",
        "é",
        "e\u{301}",
        "%2F",
        "%",
        "a%2Fb",
        "a:b",
        "a,b",
        "a;b",
        "a|b",
        "a>b",
        ">",
        "a*",
        "#",
        "$",
        "$a",
        "&",
        "a&b=c",
        "+",
        "=",
        "=YQ",
        "~",
        "\"",
        "'",
        "`",
        "<b>",
        "{}",
        "null",
        "a",
        "A",
        "\u{7f}",
        "\u{feff}",
        "\u{202e}a",
        "-",
        "_",
        "CON",
        "0",
    ];
    let long = ["x".repeat(limit), "🦀".repeat(limit / 4), "/".repeat(limit), "a/".repeat(limit / 2)];
    short.into_iter().map(str::to_owned).chain(long).collect()
}

/// Names that only a byte-wise comparison tells apart.
pub(crate) const ALIKE: [&str; 16] = [
    "é", "e\u{301}", "É", "a/b", "a//b", "a/b/", "/a/b", "a%2Fb", "a%2fb", "a\\b", "A/b", "a/./b", "a/b ", "a+b",
    "a b", "=YS9i",
];
