#include "cli/command_node.hpp"

#include <sstream>

namespace dyad::cli {
namespace {

// A type's name, and the words that may be chosen from: "TYPE:{chat,project}".
CommandOption option_of(const CLI::Option& option) {
    CommandOption out{{}, option.get_description(), "", {}, option.get_expected_min() == 0};
    for (const std::string& name : option.get_lnames())
        out.names.push_back("--" + name);
    for (const std::string& name : option.get_snames())
        out.names.push_back("-" + name);
    if (option.get_expected_max() == 0) return out;
    const std::string type = option.get_type_name();
    out.value = out.names.empty() ? option.get_name() : type.substr(0, type.find(':'));
    if (out.value.empty()) out.value = "TEXT";
    std::size_t at = type.find('{');
    while (at < type.size() && type[at] != '}') {
        const std::size_t end = type.find_first_of(",}", at + 1);
        out.words.push_back(type.substr(at + 1, end - at - 1));
        at = end;
    }
    for (const SettingRow& row : settings_table()) {
        if (out.names.empty() || out.names.front() != row.flag) continue;
        std::istringstream words(row.type == SettingType::boolean ? "true false"
                                                                  : std::string(row.choices));
        for (std::string word; words >> word;)
            out.words.push_back(word);
    }
    return out;
}

}  // namespace

CommandNode command_node(const CLI::App& app) {
    CommandNode node{app.get_name(), app.get_description(), app.get_aliases(), {}, {}};
    for (const CLI::Option* option : app.get_options())
        node.options.push_back(option_of(*option));
    for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; }))
        if (!child->get_group().empty()) node.children.push_back(command_node(*child));
    return node;
}

}  // namespace dyad::cli
