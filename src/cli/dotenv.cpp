#include "cli/dotenv.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::string_view kBlank = " \t\f\v";
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::size_t kNowhere = std::string_view::npos;

bool is_blank(char c) {
    return kBlank.find(c) != kNowhere;
}

std::string_view trimmed(std::string_view text) {
    return dyad::trimmed(text, kBlank);
}

// Round a name that was copied from a page stand blanks that are none of ours, and things unseen.
std::string_view bare(std::string_view name) {
    constexpr std::string_view kUnseen[] = {"\u00a0", "\u200b", "\u202f", "\u3000", "\ufeff"};
    for (std::string_view before; before != name;) {
        before = name = trimmed(name);
        for (const std::string_view unseen : kUnseen) {
            if (name.starts_with(unseen)) name.remove_prefix(unseen.size());
            if (name.ends_with(unseen)) name.remove_suffix(unseen.size());
        }
    }
    return name;
}

bool is_name(std::string_view text) {
    if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '.' || c == '-';
    });
}

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    Dotenv read() {
        while (at_ < text_.size()) {
            const std::size_t next =
                read_entry(std::min(text_.find_first_of(kLineEnd, at_), text_.size()));
            go_to(next);
        }
        return std::move(out_);
    }

  private:
    // Reads what begins in the line up to `end`; where it is over.
    std::size_t read_entry(std::size_t end) {
        std::string_view line = trimmed(text_.substr(at_, end - at_));
        if (line.empty() || line.front() == '#') return end;
        if (line.starts_with("export") && line.size() > 6 && is_blank(line[6]))
            line = trimmed(line.substr(7));
        std::size_t sign = line.find_first_of("=:");
        // A colon as in YAML has a blank behind it.
        if (sign != kNowhere && line[sign] == ':' &&
            !(sign + 1 < line.size() && is_blank(line[sign + 1])))
            sign = line.find('=', sign);
        const std::string_view name = bare(line.substr(0, sign));
        if (sign == kNowhere || !is_name(name)) {
            problem(line.substr(0, line.find_first_of(" \t=:")), "is not NAME=value");
            return end;
        }
        const std::size_t sign_at =
            static_cast<std::size_t>(line.data() - text_.data()) + sign;  // in the text
        const std::size_t value = std::min(text_.find_first_not_of(kBlank, sign_at + 1), end);
        if (value < end && std::string_view("'\"`").find(text_[value]) != kNowhere)
            return read_quoted(name, value, end);
        std::size_t stop = value;
        while (stop < end && !(text_[stop] == '#' && (stop == value || is_blank(text_[stop - 1]))))
            ++stop;
        add(name, std::string(trimmed(text_.substr(value, stop - value))), false);
        return end;
    }

    std::size_t read_quoted(std::string_view name, std::size_t begin, std::size_t end) {
        const char quote = text_[begin];
        std::size_t close = begin + 1;
        while (close < text_.size() && text_[close] != quote)
            close += quote != '\'' && text_[close] == '\\' ? 2 : 1;
        if (close >= text_.size()) {
            problem(name, "its quote is not closed");
            return end;
        }
        const std::size_t last = std::min(text_.find_first_of(kLineEnd, close), text_.size());
        const std::string_view after = trimmed(text_.substr(close + 1, last - close - 1));
        if (!after.empty() && after.front() != '#') {
            problem(name, "something follows its closing quote");
            return end;
        }
        const std::string_view inside = text_.substr(begin + 1, close - begin - 1);
        if (quote == '`')
            add(name, std::string(text_.substr(begin, close + 1 - begin)), false);
        else
            add(name, unescaped(inside, quote == '"'), quote == '\'');
        return last;
    }

    // CR LF inside of quotes is one line feed.
    static std::string unescaped(std::string_view inside, bool escapes) {
        std::string value;
        for (std::size_t i = 0; i < inside.size(); ++i) {
            char c = inside[i];
            if (c == '\r' && i + 1 < inside.size() && inside[i + 1] == '\n') continue;
            if (escapes && c == '\\' && i + 1 < inside.size()) {
                c = inside[++i];
                if (c == 'n')
                    c = '\n';
                else if (c == 't')
                    c = '\t';
                else if (c == 'r')
                    c = '\r';
                else if (c != '"' && c != '\\' && c != '$')
                    value += '\\';
            }
            value += c;
        }
        return value;
    }

    // Counts the lines that are passed.
    void go_to(std::size_t next) {
        for (; at_ < next; ++at_)
            line_ += ends_line(at_) ? 1 : 0;
        if (at_ < text_.size() && text_[at_] == '\r' && text_.substr(at_ + 1).starts_with('\n'))
            ++at_;
        ++at_;
        ++line_;
    }
    bool ends_line(std::size_t at) const {
        return text_[at] == '\n' || (text_[at] == '\r' && !text_.substr(at + 1).starts_with('\n'));
    }

    void add(std::string_view name, std::string value, bool literal) {
        out_.entries.push_back({std::string(name), std::move(value), line_, literal});
    }
    void problem(std::string_view name, std::string text) {
        out_.problems.push_back({line_, std::string(name), std::move(text)});
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
    Dotenv out_;
};

}  // namespace

Dotenv parse_dotenv(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    return Reader(text).read();
}

}  // namespace dyad::cli
