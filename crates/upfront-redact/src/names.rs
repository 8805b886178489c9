//! Which names stand for a secret: of columns, settings, options, variables, keys of JSON.

/// How a name ends whose value is a secret.
const ENDS: [&str; 37] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passwort",
    "passcode",
    "pwd",
    "pass",
    "psw",
    "secret",
    "secrets",
    "credential",
    "credentials",
    "authorization",
    "apikey",
    "api_key",
    "api-key",
    "secretkey",
    "secret_key",
    "privatekey",
    "private_key",
    "accesskey",
    "access_key",
    "encryptionkey",
    "encryption_key",
    "signingkey",
    "signing_key",
    "master_key",
    "auth_key",
    "service_key",
    "role_key",
    "shared_key",
    "hmac_key",
    "jwt_key",
    "account_key",
    "token",
    "tokens",
];

/// Too short to be looked for at the end of other words.
const WHOLE: [&str; 4] = ["pw", "ssl_passphrase_command", "service_account_json", "bearer"];

/// What may follow without making it another thing.
const SUFFIXES: [&str; 8] =
    ["_hash", "_digest", "_plain", "_plaintext", "_text", "_value", "_encrypted", "_default"];

/// Does the value of something with this name have to stay hidden?
///
/// `password_encryption`, `token_type` and the like name something else.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.trim_matches(|it: char| "{}\"' ".contains(it));
    if name.len() > 64 || name.contains(char::is_whitespace) {
        return false;
    }
    let name = name.rsplit(['.', '/']).next().unwrap_or(name).to_ascii_lowercase();
    let name = name.trim_end_matches(|it: char| it.is_ascii_digit() || it == '_');
    let name = SUFFIXES.iter().find_map(|it| name.strip_suffix(it)).unwrap_or(name);
    ENDS.iter().any(|it| name.ends_with(it) && !is_other_word(name, it))
        || WHOLE.contains(&name)
        || name.ends_with("_pw")
}

/// `bypass`, `compass` and `trespass` end in `pass`, and hide nothing.
fn is_other_word(name: &str, end: &str) -> bool {
    let before = &name[..name.len() - end.len()];
    end == "pass" && !(before.is_empty() || before.ends_with(['_', '-']) || before == "pg")
}

/// Which arguments of a function are secrets: by place, or all of them.
pub(crate) enum Arguments {
    At(&'static [usize]),
    All,
}

/// The secret arguments of a function.
pub(crate) fn arguments(function: &str) -> Option<Arguments> {
    let function = function.to_ascii_lowercase();
    Some(match function.as_str() {
        "crypt" | "encrypt" | "decrypt" | "hmac" => Arguments::At(&[0, 1]),
        "encrypt_iv" | "decrypt_iv" => Arguments::At(&[0, 1, 2]),
        "digest" | "md5" | "sha224" | "sha256" | "sha384" | "sha512" => Arguments::At(&[0]),
        it if it.starts_with("pgp_sym_") => Arguments::At(&[0, 1]),
        it if it.starts_with("pgp_pub_encrypt") => Arguments::At(&[0]),
        it if it.starts_with("pgp_pub_decrypt") => Arguments::At(&[1, 2]),
        it if it.starts_with("crypto_") => Arguments::All,
        it if it.ends_with("_secret") || is_secret(it) => Arguments::All,
        _ => return None,
    })
}

/// Does the function take a name and its value?
pub(crate) fn takes_pairs(function: &str) -> bool {
    const PARTS: [&str; 7] =
        ["config", "object", "hstore", "setting", "param", "option", "jsonb_set"];
    let function = function.to_ascii_lowercase();
    PARTS.iter().any(|it| function.contains(it))
}

/// Texts that hide nothing where a secret could stand: names of algorithms, quotes, places for
/// values.
pub(crate) fn is_harmless(text: &str) -> bool {
    const HARMLESS: [&str; 17] = [
        "bf", "md5", "xdes", "des", "aes", "sha1", "sha224", "sha256", "sha384", "sha512", "hex",
        "base64", "escape", "utf8", "utf-8", "null", "default",
    ];
    let text = text.trim();
    HARMLESS.iter().any(|it| it.eq_ignore_ascii_case(text))
        || is_placeholder(text)
        || text.chars().all(|it| "'\"(), ;:=%".contains(it))
}

/// A place into which a value is put later: `%L`, `%1$s`, `$1`, `?`, `:name`, `{}`.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let text = text.trim_matches(['\'', '"', ' ']);
    let mut letters = text.chars();
    let first = letters.next();
    let rest = letters.as_str();
    match first {
        Some('%') => {
            let rest = rest.trim_start_matches(|it: char| it.is_ascii_digit() || "$-".contains(it));
            rest.is_empty() || ["L", "s", "I", "d", "r"].contains(&rest)
        }
        Some('$') => !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_digit()),
        Some('?') => rest.is_empty(),
        Some('{') => rest == "}",
        _ => false,
    }
}
