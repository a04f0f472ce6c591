#include "cli/help.hpp"

#include "cli/terminal.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::size_t kColumns = 88;
constexpr std::string_view kMostUsed[] = {"serve", "status", "context", "events", "doctor"};
constexpr std::string_view kExitStatus =
    "Exit status: 0 done, 1 the server refused or failed, 2 wrong use or settings, 3 no server\n"
    "answers, 4 there is nothing of that name, 5 conflict with what is stored.\n";

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string heading(std::string_view text) {
    return paint(Colour::bold, text) + "\n";
}

std::string two_columns(const Rows& rows) {
    std::size_t width = 0;
    for (const auto& [name, text] : rows)
        if (name.size() <= 28) width = std::max(width, name.size());
    std::string out;
    for (const auto& [name, text] : rows) {
        out.append("  ").append(name);
        if (name.size() > width)
            out.append("\n").append(width + 4, ' ');
        else
            out.append(width + 2 - name.size(), ' ');
        out.append(wrap(text, kColumns - width - 4, width + 4)).append("\n");
    }
    return out;
}

std::string label(const Option& option) {
    if (option.is_argument()) return option.required ? option.name : "[" + option.name + "]";
    return option.value.empty() ? option.name : option.name + " " + option.value;
}

Rows rows_of(const std::vector<Option>& options, bool arguments) {
    Rows rows;
    for (const Option& option : options)
        if (option.is_argument() == arguments) {
            std::string text = option.help;
            if (option.repeated) text.append("; may be repeated");
            rows.emplace_back(label(option), std::move(text));
        }
    return rows;
}

std::string usage(const std::vector<const Command*>& path) {
    std::string out = "Usage:";
    for (const Command* command : path)
        out.append(" ").append(command->name);
    const Command& last = *path.back();
    if (!last.commands.empty()) return out + " COMMAND [OPTIONS]\n";
    for (const Option& option : last.options)
        if (option.is_argument()) out.append(" ").append(label(option));
    return out + " [OPTIONS]\n";
}

void append_section(std::string& out, std::string_view title, const Rows& rows) {
    if (!rows.empty()) out.append("\n").append(heading(title)).append(two_columns(rows));
}

}  // namespace

std::string wrap(std::string_view text, std::size_t columns, std::size_t indent) {
    std::string out;
    std::size_t used = 0;
    while (!text.empty()) {
        const std::size_t space = text.find(' ');
        const std::string_view word = text.substr(0, space);
        const std::size_t width = columns_of(word);
        if (used != 0 && used + 1 + width > columns) {
            out.append("\n").append(indent, ' ');
            used = 0;
        }
        if (used != 0) {
            out += ' ';
            ++used;
        }
        out.append(word);
        used += width;
        text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    }
    return out;
}

std::string help_of(const std::vector<const Command*>& path) {
    const Command& command = *path.back();
    std::string out = usage(path) + "\n" + wrap(command.summary, kColumns, 0) + "\n";
    std::string_view details = command.details;
    while (!details.empty()) {
        const std::size_t end = details.find("\n\n");
        out.append("\n").append(wrap(details.substr(0, end), kColumns, 0)).append("\n");
        details.remove_prefix(end == std::string_view::npos ? details.size() : end + 2);
    }
    Rows commands;
    for (const Command& each : command.commands)
        commands.emplace_back(each.alias.empty() ? each.name : each.name + ", " + each.alias,
                              each.summary);
    append_section(out, "Commands", commands);
    append_section(out, "Arguments", rows_of(command.options, true));
    append_section(out, "Options", rows_of(command.options, false));
    if (command.commands.empty()) {
        Rows shared = rows_of(common_options(), false);
        if (command.talks) {
            const Rows server = rows_of(server_options(), false);
            shared.insert(shared.begin(), server.begin(), server.end());
        }
        append_section(out, command.talks ? "Server and output" : "Common", shared);
    }
    if (!command.examples.empty()) {
        out.append("\n").append(heading("Examples"));
        for (const std::string& example : command.examples)
            out.append("  ").append(example).append("\n");
    }
    return out.append("\n").append(kExitStatus);
}

std::string short_help(const Command& root) {
    std::string out = paint(Colour::bold, "Dyad Distributed Memory") +
                      ": one memory for all of your AI assistants.\n\nThe most used commands:\n";
    Rows rows;
    for (const std::string_view name : kMostUsed)
        for (const Command& command : root.commands)
            if (command.name == name)
                rows.emplace_back("dyad-memory " + command.name, command.summary);
    out.append(two_columns(rows));
    return out.append("\nStart with \"dyad-memory serve\" in one terminal and \"dyad-memory "
                      "status\" in another.\n\"dyad-memory --help\" lists everything; each "
                      "command has its own --help.\n");
}

}  // namespace dyad::cli
