//! How the tokens begin that their makers marked.

/// How a kind of token begins, what it is made of, and how long that is at least.
pub(crate) struct Mark {
    pub(crate) prefix: &'static str,
    pub(crate) of: fn(u8) -> bool,
    pub(crate) at_least: usize,
}

impl Mark {
    /// Whether the beginning is the address of a service and says who it is; else it goes with the rest.
    pub(crate) fn is_address(&self) -> bool {
        self.prefix.contains('/')
    }

    /// Whether the beginning is so short that a word of somebody's own could have it.
    pub(crate) fn is_short(&self) -> bool {
        self.prefix.len() <= 4
    }
}

const fn mark(prefix: &'static str, of: fn(u8) -> bool, at_least: usize) -> Mark {
    Mark { prefix, of, at_least }
}

fn hex(c: u8) -> bool {
    c.is_ascii_hexdigit()
}

fn letters(c: u8) -> bool {
    c.is_ascii_alphanumeric()
}

fn name(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_'
}

pub(crate) fn base64url(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-')
}

pub(crate) fn dotted(c: u8) -> bool {
    base64url(c) || c == b'.'
}

fn base64(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'=' | b'_' | b'-')
}

fn encoded(c: u8) -> bool {
    base64(c) || c == b'%'
}

fn path(c: u8) -> bool {
    base64url(c) || matches!(c, b'/' | b'@' | b':' | b'%')
}

/// In the order of who gives them out.
pub(crate) const MARKS: [Mark; 106] = [
    mark("dbw_", hex, 32),
    // Source code and its building
    mark("ghp_", letters, 16),
    mark("gho_", letters, 16),
    mark("ghu_", letters, 16),
    mark("ghs_", letters, 16),
    mark("ghr_", letters, 16),
    mark("github_pat_", name, 16),
    mark("glpat-", dotted, 16),
    mark("gldt-", base64url, 16),
    mark("glrt-", dotted, 16),
    mark("glptt-", base64url, 16),
    mark("glcbt-", base64url, 16),
    mark("glsoat-", base64url, 16),
    mark("glagent-", base64url, 16),
    mark("gloas-", base64url, 16),
    mark("ATATT3", base64, 32),
    mark("ATCTT3", base64, 32),
    mark("ATBB", letters, 28),
    mark("bkua_", letters, 32),
    mark("CCIPAT_", base64url, 20),
    mark("sqp_", hex, 32),
    mark("squ_", hex, 32),
    // Packages and images
    mark("npm_", letters, 30),
    mark("pypi-", base64url, 32),
    mark("rubygems_", hex, 32),
    mark("dckr_pat_", base64url, 16),
    mark("dckr_oat_", base64url, 16),
    // Chats
    mark("xoxa-", base64url, 10),
    mark("xoxb-", base64url, 10),
    mark("xoxc-", base64url, 10),
    mark("xoxd-", encoded, 10),
    mark("xoxe.xox", base64url, 10),
    mark("xoxe-", base64url, 10),
    mark("xoxp-", base64url, 10),
    mark("xoxr-", base64url, 10),
    mark("xoxs-", base64url, 10),
    mark("xapp-", base64url, 10),
    mark("hooks.slack.com/services/", path, 16),
    mark("hooks.slack.com/workflows/", path, 16),
    mark("hooks.slack.com/triggers/", path, 16),
    mark("discord.com/api/webhooks/", path, 16),
    mark("discordapp.com/api/webhooks/", path, 16),
    mark("webhook.office.com/webhookb2/", path, 16),
    mark("api.telegram.org/bot", path, 16),
    // Models
    mark("sk-", base64url, 16),
    mark("hf_", letters, 16),
    mark("gsk_", letters, 16),
    mark("xai-", letters, 16),
    mark("r8_", letters, 16),
    mark("pplx-", letters, 16),
    mark("tvly-", base64url, 16),
    mark("lsv2_pt_", name, 16),
    mark("lsv2_sk_", name, 16),
    mark("pcsk_", name, 16),
    // Payments and mail
    mark("sk_live_", letters, 10),
    mark("sk_test_", letters, 10),
    mark("rk_live_", letters, 10),
    mark("rk_test_", letters, 10),
    mark("pk_live_", letters, 10),
    mark("whsec_", base64, 16),
    mark("sq0atp-", base64url, 16),
    mark("sq0csp-", base64url, 16),
    mark("shpat_", hex, 32),
    mark("shpca_", hex, 32),
    mark("shppa_", hex, 32),
    mark("shpss_", hex, 32),
    mark("SG.", dotted, 32),
    mark("SK", hex, 32),
    // Clouds and what runs on them
    mark("AIza", base64url, 30),
    mark("GOCSPX-", base64url, 16),
    mark("ya29.", dotted, 16),
    mark("ABSK", base64, 60),
    mark("bedrock-api-key-", base64, 32),
    mark("dop_v1_", hex, 32),
    mark("doo_v1_", hex, 32),
    mark("dor_v1_", hex, 32),
    mark("dapi", hex, 32),
    mark("HRKU-", base64url, 32),
    mark("fo1_", base64url, 32),
    mark("fm1r_", base64, 32),
    mark("fm2_", base64, 32),
    mark("nfp_", letters, 32),
    mark("tskey-", base64url, 16),
    mark("pul-", hex, 32),
    mark("sbp_", hex, 32),
    mark("sb_secret_", base64url, 16),
    mark("npg_", letters, 10),
    mark("pscale_tkn_", dotted, 16),
    mark("pscale_pw_", dotted, 16),
    mark("pscale_oauth_", dotted, 16),
    mark("mdb_sa_sk_", base64url, 16),
    // Keepers of secrets
    mark("hvs.", base64url, 16),
    mark("hvb.", base64url, 16),
    mark("hvr.", base64url, 16),
    mark("dp.pt.", letters, 32),
    mark("dp.st.", dotted, 32),
    mark("ops_eyJ", base64, 32),
    mark("AGE-SECRET-KEY-1", letters, 16),
    // Watching
    mark("glsa_", name, 32),
    mark("glc_", base64, 32),
    mark("NRAK-", letters, 16),
    mark("sntrys_", base64, 32),
    mark("sntryu_", hex, 32),
    mark("dt0c01.", dotted, 32),
    // Work
    mark("lin_api_", letters, 16),
    mark("ntn_", letters, 32),
];
