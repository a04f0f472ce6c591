// How --help is laid out.
#pragma once

#include <sstream>
#include <string>

#include <CLI/CLI.hpp>

namespace dyad::cli {

// Descriptions in lines that fit a terminal, types by their plain name.
class HelpFormatter final : public CLI::Formatter {
  public:
    std::string make_option_desc(const CLI::Option* option) const override {
        return wrapped(CLI::Formatter::make_option_desc(option));
    }
    std::string make_option_opts(const CLI::Option* option) const override {
        if (option->get_expected_max() == 0) return {};
        const std::string type = option->get_type_name();
        if (option->nonpositional() && !type.empty()) return " " + type.substr(0, type.find(':'));
        return {};
    }

  private:
    static std::string wrapped(const std::string& text) {
        constexpr std::size_t kColumns = 66;  // beside the names
        std::string out;
        std::size_t column = 0;
        std::istringstream words(text);
        for (std::string word; words >> word;) {
            const bool breaks = column > 0 && column + 1 + word.size() > kColumns;
            if (column > 0) out += breaks ? '\n' : ' ';
            column = breaks ? word.size() : column + (column > 0 ? 1 : 0) + word.size();
            out.append(word);
        }
        return out;
    }
};

}  // namespace dyad::cli
