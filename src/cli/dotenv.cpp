#include "cli/dotenv.hpp"

#include <optional>

namespace dyad::cli {
namespace {

constexpr std::string_view kBlank = " \t\r\f\v";

void trim_front(std::string_view& text) {
    const std::size_t at = text.find_first_not_of(kBlank);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at);
}

std::string_view trimmed(std::string_view text) {
    trim_front(text);
    const std::size_t last = text.find_last_not_of(kBlank);
    return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

bool is_name(std::string_view text) {
    if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
    for (const char c : text)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    return true;
}

bool looks_executed(std::string_view value) {
    return value.find("$(") != std::string_view::npos || value.find('`') != std::string_view::npos;
}

class Line {
  public:
    Line(std::string_view text, std::size_t number, Dotenv& out)
        : rest_(text), number_(number), out_(out) {}

    void read() {
        trim_front(rest_);
        if (rest_.empty() || rest_.front() == '#') return;
        if (rest_.starts_with("export") && rest_.size() > 6 &&
            kBlank.find(rest_[6]) != std::string_view::npos) {
            rest_.remove_prefix(7);
            trim_front(rest_);
        }
        const std::size_t equals = rest_.find('=');
        const std::string_view name = trimmed(rest_.substr(0, equals));
        if (equals == std::string_view::npos || !is_name(name)) return problem("is not NAME=value");
        rest_.remove_prefix(equals + 1);
        trim_front(rest_);
        std::optional<std::string> value = read_value(name);
        if (value) out_.entries.push_back({std::string(name), *std::move(value), number_});
    }

  private:
    void problem(std::string text) { out_.problems.push_back({number_, std::move(text)}); }

    std::optional<std::string> read_value(std::string_view name) {
        if (rest_.starts_with('\'')) {
            const std::size_t end = rest_.find('\'', 1);
            if (end == std::string_view::npos) return unclosed(name);
            return finished(name, std::string(rest_.substr(1, end - 1)), end + 1);
        }
        if (rest_.starts_with('"')) return read_quoted(name);
        std::size_t end = 0;
        while (end < rest_.size() &&
               !(rest_[end] == '#' &&
                 (end == 0 || kBlank.find(rest_[end - 1]) != std::string_view::npos)))
            ++end;
        return not_executed(name, std::string(trimmed(rest_.substr(0, end))));
    }

    std::optional<std::string> read_quoted(std::string_view name) {
        std::string value;
        for (std::size_t i = 1; i < rest_.size(); ++i) {
            char c = rest_[i];
            if (c == '"') {
                if (!finished(name, "", i + 1) || !not_executed(name, value)) return std::nullopt;
                return value;
            }
            if (c == '\\' && i + 1 < rest_.size()) {
                c = rest_[++i];
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
        return unclosed(name);
    }

    std::optional<std::string> unclosed(std::string_view name) {
        problem("the quote of " + std::string(name) + " is not closed on its line");
        return std::nullopt;
    }

    std::optional<std::string> finished(std::string_view name, std::string value,
                                        std::size_t next) {
        const std::string_view after = trimmed(rest_.substr(next));
        if (after.empty() || after.front() == '#') return value;
        problem("something follows the closing quote of " + std::string(name));
        return std::nullopt;
    }

    std::optional<std::string> not_executed(std::string_view name, std::string value) {
        if (!looks_executed(value)) return value;
        problem(
            "commands are not executed here: run it in a shell and write its output as the "
            "value of " +
            std::string(name) + " (in single quotes the text is taken as it stands)");
        return std::nullopt;
    }

    std::string_view rest_;
    std::size_t number_;
    Dotenv& out_;
};

}  // namespace

Dotenv parse_dotenv(std::string_view text) {
    Dotenv out;
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    std::size_t number = 0;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        Line(text.substr(0, end), ++number, out).read();
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return out;
}

}  // namespace dyad::cli
