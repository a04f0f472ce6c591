// The package of plugins/dyad-memory, inside of the program.
#include "cli/client_files.hpp"

// The assembler takes the files in as they are (`.incbin`); CMake gives the folder.
#define DYAD_EMBED(symbol, file)                                  \
    __asm__(                                                      \
        ".section .rodata\n"                                      \
        ".global dyad_plugin_" #symbol                            \
        "\n"                                                      \
        "dyad_plugin_" #symbol                                    \
        ":\n"                                                     \
        ".incbin \"" DYAD_SOURCE_DIR "/plugins/dyad-memory/" file \
        "\"\n"                                                    \
        ".global dyad_plugin_" #symbol                            \
        "_end\n"                                                  \
        "dyad_plugin_" #symbol                                    \
        "_end:\n"                                                 \
        ".byte 0\n"                                               \
        ".previous\n");                                           \
    extern "C" const char dyad_plugin_##symbol[];                 \
    extern "C" const char dyad_plugin_##symbol##_end[]

#define DYAD_PLUGIN_FILES(X)                \
    X(plugin, "plugin.json")                \
    X(mcp, "mcp.json")                      \
    X(claude_mcp, ".mcp.json")              \
    X(claude, ".claude-plugin/plugin.json") \
    X(cursor, ".cursor-plugin/plugin.json") \
    X(codex, ".codex-plugin/plugin.json")   \
    X(claude_hooks, "hooks/hooks.json")     \
    X(codex_hooks, "hooks/codex.json")      \
    X(cursor_hooks, "hooks/cursor.json")    \
    X(monitors, "monitors/monitors.json")   \
    X(skill, "skills/shared-memory/SKILL.md")

#define X(symbol, file) DYAD_EMBED(symbol, file);
DYAD_PLUGIN_FILES(X)
#undef X

namespace dyad::cli {

const std::vector<PluginFile>& plugin_files() {
    static const std::vector<PluginFile> files = {
#define X(symbol, file)     \
    {file,                  \
     {dyad_plugin_##symbol, \
      static_cast<std::size_t>(dyad_plugin_##symbol##_end - dyad_plugin_##symbol)}},
        DYAD_PLUGIN_FILES(X)
#undef X
    };
    return files;
}

}  // namespace dyad::cli
