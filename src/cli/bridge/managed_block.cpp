#include "cli/bridge/managed_block.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "edit/lines.hpp"

#include <vector>

namespace dyad::cli {
namespace {

constexpr std::string_view kBegin = "<!-- dyad-memory:begin";
constexpr std::string_view kEnd = "<!-- dyad-memory:end";
constexpr std::string_view kBeginLine =
    "<!-- dyad-memory:begin (what stands in here is shared; edit it as you like) -->";
constexpr std::string_view kEndLine = "<!-- dyad-memory:end -->";

bool is_marker(std::string_view line, std::string_view beginning) {
    const std::string_view text = trimmed(line, " \t\r\n");
    if (!text.starts_with(beginning) || !text.ends_with("-->")) return false;
    return text.substr(beginning.size()).find_first_of(" \t-") == 0;
}

Error not_one_pair() {
    return fail(Errc::invalid_field,
                "its dyad-memory:begin and dyad-memory:end markers are not one pair in this order; "
                "leave one of each");
}

}  // namespace

std::string with_lf(std::string_view text) {
    std::string out;
    for (const char c : text) {
        while (c == '\n' && out.ends_with('\r'))
            out.pop_back();
        out += c;
    }
    return out;
}

Result<SharedPart> SharedPart::find(std::string file, bool whole) {
    if (!valid_utf8(file)) return fail(Errc::invalid_utf8, "it is not UTF-8");
    if (file.find('\0') != std::string::npos)
        return fail(Errc::invalid_field, "it holds a NUL and is no text");
    SharedPart out;
    out.file_ = std::move(file);
    out.whole_ = whole;
    bool ended = false;
    for (std::size_t at = 0; const std::string_view line : edit::lines_of(out.file_)) {
        if (is_marker(line, kBegin)) {
            if (out.has_block_) return not_one_pair();
            out.has_block_ = true;
            out.outer_begin_ = at;
            out.begin_ = at + line.size();
        } else if (is_marker(line, kEnd)) {
            if (!out.has_block_ || ended) return not_one_pair();
            ended = true;
            out.end_ = at;
            out.outer_end_ = at + line.size();
        }
        at += line.size();
    }
    if (out.has_block_ != ended) return not_one_pair();
    if (whole && out.has_block_)
        return fail(Errc::invalid_field,
                    "it is to be shared as a whole, and holds a block; take out the markers, or "
                    "share the block (without --whole)");
    if (whole) out.end_ = out.outer_end_ = out.file_.size();
    if (out.end_ > out.begin_)
        out.text_ = with_lf(std::string_view(out.file_).substr(out.begin_, out.end_ - out.begin_));
    return out;
}

std::string_view SharedPart::eol() const {
    const std::size_t first = has_block_ ? begin_ - 1 : file_.find('\n');
    const bool crlf = first != std::string::npos && first > 0 && file_[first - 1] == '\r';
    return crlf ? "\r\n" : "\n";
}

std::string SharedPart::ended(const std::string& text) const {
    const std::string_view before = std::string_view(file_).substr(begin_, end_ - begin_);
    const std::string plain = with_lf(before);
    const std::vector<std::string_view> old_lines = edit::lines_of(before),
                                        lines = edit::lines_of(text);
    edit::Matches same = edit::common_lines(edit::lines_of(plain), lines);
    same.emplace_back(0, lines.size());
    std::string out;
    for (std::size_t i = 0, next = 0; i < lines.size(); ++i) {
        if (same[next].second == i) {
            out.append(old_lines[same[next++].first]);
        } else if (lines[i].ends_with('\n')) {
            out.append(lines[i].substr(0, lines[i].size() - 1)).append(eol());
        } else {
            out.append(lines[i]);
        }
    }
    return out;
}

Result<std::string> SharedPart::with(const std::optional<std::string>& text) const {
    if (text)
        for (const std::string_view line : edit::lines_of(*text))
            if (is_marker(line, kBegin) || is_marker(line, kEnd))
                return fail(Errc::invalid_field,
                            "the shared text holds a marker of a block; take it out there");
    if (whole_) return text ? ended(*text) : std::string();
    if (!text) {
        if (!has_block_) return file_;
        // The empty line that was put in front of it goes with it.
        std::string out = file_.substr(0, outer_begin_);
        const std::string empty = std::string("\n").append(eol());
        if (outer_end_ == file_.size() && out.ends_with(empty))
            out.resize(out.size() - eol().size());
        return out.append(file_, outer_end_);
    }
    const std::string inner = ended(text->ends_with('\n') ? *text : *text + "\n");
    if (has_block_) return file_.substr(0, begin_) + inner + file_.substr(end_);
    std::string out = file_;
    if (!out.empty() && !out.ends_with('\n')) out.append(eol());
    if (!out.empty()) out.append(eol());
    return out.append(kBeginLine).append(eol()).append(inner).append(kEndLine).append(eol());
}

std::string SharedPart::wrapped() const {
    std::string out = std::string(kBeginLine).append(eol()).append(file_);
    if (!out.ends_with('\n')) out.append(eol());
    return out.append(kEndLine).append(eol());
}

}  // namespace dyad::cli
