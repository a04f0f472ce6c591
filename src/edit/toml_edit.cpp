#include "edit/toml_edit.hpp"

#include "edit/place.hpp"

#include <algorithm>
#include <vector>

namespace dyad::edit {
namespace {

constexpr int kDepthMax = 64;
constexpr std::string_view kBare =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

struct Table {
    std::vector<std::string> path;
    std::size_t begin = 0;  // of its header's line
    std::size_t end = 0;    // behind the last line that says something of it
};

bool is_below(const std::vector<std::string>& path, TomlPath table) {
    return path.size() >= table.size() && std::equal(table.begin(), table.end(), path.begin());
}

// Reads the whole text, notes its tables, and refuses keys that stand for `wanted` elsewhere.
class Reader {
  public:
    Reader(std::string_view text, TomlPath wanted) : text_(text), wanted_(wanted) {}

    Result<std::vector<Table>> read() {
        std::vector<std::string> at;
        for (skip_lines(); at_ < text_.size(); skip_lines()) {
            const std::size_t begin = text_.rfind('\n', at_) + 1;
            if (is('[')) {
                TRY(read_header(begin));
                at = tables_.back().path;
            } else {
                std::vector<std::string> key = at;
                const std::size_t place = at_;
                TRY(read_key(key));
                if (!is_below(at, wanted_) && is_below(key, wanted_)) return elsewhere(place);
                blanks();
                if (!is('=')) return wrong("\"=\" is expected here");
                ++at_;
                TRY(read_value(key, 0));
            }
            TRY(end_line());
            if (!tables_.empty()) tables_.back().end = at_;
        }
        return std::move(tables_);
    }

  private:
    Error wrong(const std::string& what) const { return broken_at(text_, at_, what); }
    Error elsewhere(std::size_t place) const {
        std::string name;
        for (const std::string& part : wanted_)
            name.append(name.empty() ? "" : ".").append(part);
        return broken_at(
            text_, place,
            name + " is not written as a table; write it as [" + name + "], or take it out");
    }
    bool is(char c) const { return at_ < text_.size() && text_[at_] == c; }
    void blanks() { at_ = std::min(text_.find_first_not_of(" \t", at_), text_.size()); }

    void skip_comment() {
        blanks();
        if (is('#')) at_ = std::min(text_.find('\n', at_), text_.size());
    }
    void skip_lines() {
        for (skip_comment(); is('\n') || is('\r'); skip_comment())
            ++at_;
    }
    Status end_line() {
        skip_comment();
        if (is('\r')) ++at_;
        if (at_ < text_.size() && !is('\n')) return wrong("the end of the line is expected here");
        if (at_ < text_.size()) ++at_;
        return Done{};
    }

    Status read_header(std::size_t begin) {
        const bool list = text_.substr(at_, 2) == "[[";
        at_ += list ? 2 : 1;
        Table table;
        table.begin = begin;
        TRY(read_key(table.path));
        const std::string_view close = list ? "]]" : "]";
        if (text_.substr(at_, close.size()) != close)
            return wrong("\"" + std::string(close) + "\" is expected here");
        at_ += close.size();
        tables_.push_back(std::move(table));
        return Done{};
    }

    // Appends its parts.
    Status read_key(std::vector<std::string>& key) {
        for (;;) {
            blanks();
            const std::size_t begin = at_;
            if (is('"') || is('\'')) {
                TRY(read_string());
                key.emplace_back(text_.substr(begin + 1, at_ - begin - 2));
            } else {
                at_ = std::min(text_.find_first_not_of(kBare, at_), text_.size());
                if (at_ == begin) return wrong("a name is expected here");
                key.emplace_back(text_.substr(begin, at_ - begin));
            }
            blanks();
            if (!is('.')) return Done{};
            ++at_;
        }
    }

    Status read_string() {
        const char quote = text_[at_];
        const std::string three(3, quote);
        const std::size_t begin = at_;
        const bool lines = text_.substr(at_, 3) == three;
        for (at_ += lines ? 3 : 1; at_ < text_.size(); ++at_) {
            if (quote == '"' && is('\\')) {
                ++at_;
            } else if (lines ? text_.substr(at_, 3) == three : is(quote)) {
                at_ += lines ? 3 : 1;
                while (lines && is(quote))  // up to two of its own stand at its end
                    ++at_;
                return Done{};
            } else if (!lines && is('\n')) {
                break;
            }
        }
        at_ = begin;
        return wrong("this string has no end");
    }

    Status read_value(const std::vector<std::string>& key, int depth) {
        blanks();
        if (depth > kDepthMax) return wrong("it is nested too deeply");
        if (is('"') || is('\'')) return read_string();
        if (is('[')) return read_array(key, depth);
        if (is('{')) return read_inline(key, depth);
        const std::size_t begin = at_;
        at_ = std::min(text_.find_first_of(",]}#\r\n", at_), text_.size());
        while (at_ > begin && (text_[at_ - 1] == ' ' || text_[at_ - 1] == '\t'))
            --at_;
        const std::string_view word = text_.substr(begin, at_ - begin);
        const std::size_t blank = word.find_first_of(" \t");  // between a date and a time
        if (blank != word.npos && (blank != 10 || word[4] != '-')) {
            at_ = begin + blank;
            return Done{};  // what follows is no end of the line
        }
        const bool named =
            word == "true" || word == "false" || word.ends_with("inf") || word.ends_with("nan");
        if (named || (!word.empty() && std::string_view("+-0123456789").find(word[0]) != word.npos))
            return Done{};
        at_ = begin;
        return wrong("a value is expected here");
    }

    Status read_array(const std::vector<std::string>& key, int depth) {
        ++at_;
        for (skip_lines(); !is(']'); skip_lines()) {
            TRY(read_value(key, depth + 1));
            skip_lines();
            if (is(','))
                ++at_;
            else if (!is(']'))
                return wrong("\",\" or \"]\" is expected here");
        }
        ++at_;
        return Done{};
    }

    Status read_inline(const std::vector<std::string>& key, int depth) {
        ++at_;
        blanks();
        for (bool first = true; !is('}'); first = false) {
            if (!first && !is(',')) return wrong("\",\" or \"}\" is expected here");
            if (!first) ++at_;
            std::vector<std::string> inner = key;
            blanks();
            const std::size_t place = at_;
            TRY(read_key(inner));
            if (!is_below(key, wanted_) && is_below(inner, wanted_)) return elsewhere(place);
            if (!is('=')) return wrong("\"=\" is expected here");
            ++at_;
            TRY(read_value(inner, depth + 1));
            blanks();
        }
        ++at_;
        return Done{};
    }

    std::string_view text_;
    TomlPath wanted_;
    std::size_t at_ = 0;
    std::vector<Table> tables_;
};

}  // namespace

Result<std::string> toml_at(std::string_view text, TomlPath table) {
    ASSIGN_OR_RETURN(const std::vector<Table> tables, Reader(text, table).read());
    std::string out;
    for (const Table& one : tables)
        if (is_below(one.path, table)) out.append(text.substr(one.begin, one.end - one.begin));
    return out;
}

Result<std::string> set_toml(std::string_view text, TomlPath table, std::string_view block) {
    ASSIGN_OR_RETURN(const std::vector<Table> tables, Reader(text, table).read());
    const bool unix_lines = text.find("\r\n") == text.npos && !text.ends_with('\r');
    const std::string eol = unix_lines ? "\n" : "\r\n";
    std::string lines;
    for (const char c : block)
        if (c != '\r') c == '\n' ? lines.append(eol) : lines.append(1, c);
    std::string out(text);
    bool placed = false;
    for (auto one = tables.rbegin(); one != tables.rend(); ++one) {
        if (!is_below(one->path, table)) continue;
        const auto before = std::find_if(one + 1, tables.rend(), [&](const Table& other) {
            return is_below(other.path, table);
        });
        placed = before == tables.rend();
        out.replace(one->begin, one->end - one->begin, placed ? lines : "");
    }
    if (!placed) {
        if (!out.empty() && !out.ends_with('\n')) out.append(eol);
        if (!out.empty()) out.append(eol);
        out.append(lines);
    }
    // What stands before it may be no TOML, and take it in.
    ASSIGN_OR_RETURN(const std::string found, toml_at(out, table));
    if (found.empty())
        return fail(Errc::invalid_field,
                    "a table behind what stands there would not be read as one");
    return out;
}

Result<std::string> drop_toml(std::string_view text, TomlPath table) {
    ASSIGN_OR_RETURN(const std::vector<Table> tables, Reader(text, table).read());
    std::string out(text);
    for (auto one = tables.rbegin(); one != tables.rend(); ++one) {
        if (!is_below(one->path, table)) continue;
        std::size_t begin = one->begin;
        for (const std::string_view eol : {"\r\n", "\n"})
            if (std::string_view(out).substr(0, begin).ends_with("\n" + std::string(eol))) {
                begin -= eol.size();  // the line between it and what stands before
                break;
            }
        out.erase(begin, one->end - begin);
    }
    return out;
}

}  // namespace dyad::edit
