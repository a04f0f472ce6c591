// Files of settings: lines NAME=value, as in `.env` files. Pure.
//
//     file    = *( line LF )
//     line    = ws [ "export" ws ] [ name ws "=" ws [ value ] ] ws [ "#" comment ]
//     name    = ( ALPHA / "_" ) *( ALPHA / DIGIT / "_" )
//     value   = "'" literal "'"                        ; taken as it stands
//             / DQUOTE text DQUOTE                     ; \n \t \r \" \\ \$ are escapes
//             / bare                                   ; up to a " #" or the end of the line
//
// Nothing is executed or expanded: `$(command)` and backquotes outside of single quotes are
// problems, since whoever wrote them expects them to run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

struct DotenvEntry {
    std::string name;
    std::string value;
    std::size_t line = 0;  // from 1
};
struct DotenvProblem {
    std::size_t line = 0;
    std::string text;  // one plain sentence
};
struct Dotenv {
    std::vector<DotenvEntry> entries;  // in the order of the file; a later one of a name counts
    std::vector<DotenvProblem> problems;
};

Dotenv parse_dotenv(std::string_view text);

}  // namespace dyad::cli
