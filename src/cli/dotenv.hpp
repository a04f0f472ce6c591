// Files of settings: lines NAME=value, as in the `.env` files of dotenv, Docker and shells. Pure.
//
//     file    = *( entry / other )
//     entry   = ws [ "export" ws ] name ws ( "=" / ":" blank ) ws [ value ] ws [ "#" comment ]
//     name    = ( ALPHA / "_" ) *( ALPHA / DIGIT / "_" / "." / "-" )
//     value   = "'" literal "'"                 ; taken as it stands
//             / DQUOTE text DQUOTE              ; \n \t \r \" \\ \$ are escapes
//             / "`" text "`"                    ; as a shell would run it, dotenv does not
//             / bare                            ; up to a " #" or the end of the line
//     other   = any line                        ; blank, comment, or of whoever wrote it
//
// A quoted value may go over several lines; one whose quote is not closed, or that something
// follows, is its line alone. Lines end with LF, CRLF or CR. Nothing is run or expanded here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

struct DotenvEntry {
    std::string name;
    std::string value;
    std::size_t line = 0;  // from 1
    bool literal = false;  // in single quotes
};
struct DotenvProblem {
    std::size_t line = 0;
    std::string name;  // of the setting, or the first word of the line
    std::string text;  // one plain sentence
};
struct Dotenv {
    std::vector<DotenvEntry> entries;  // in the order of the file; the last one of a name counts
    std::vector<DotenvProblem> problems;
};

Dotenv parse_dotenv(std::string_view text);

}  // namespace dyad::cli
