import Testing

@testable import Drivers

/// Statements are cut where SQL ends them, whatever stands in a name, a setting or a comment.
@Suite struct RoleStatementsTests {
    private func statements(_ text: String) throws -> RoleStatements { try RoleStatements(Array(text.utf8)) }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func onlyMissingRolesAreMade() throws {
        let statements = try statements(
            """
            -- comment; it's none
            \\restrict K
            SET client_encoding = 'UTF8';
            CREATE ROLE ci;
            ALTER ROLE ci WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:x;y';
            COMMENT ON ROLE ci IS 'two
            lines';
            CREATE ROLE "Odd ""one"";";
            GRANT ci TO "Odd ""one"";" GRANTED BY postgres;
            CREATE ROLE postgres;
            ALTER ROLE postgres WITH SUPERUSER;
            GRANT SET ON PARAMETER work_mem TO ci;
            \\unrestrict K

            """)
        #expect(statements.roles == ["ci", "Odd \"one\";", "postgres"])
        #expect(
            text(statements.making(["ci"])) == """
                CREATE ROLE ci;
                ALTER ROLE ci WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:x;y';
                COMMENT ON ROLE ci IS 'two
                lines';
                GRANT ci TO "Odd ""one"";" GRANTED BY postgres;
                GRANT SET ON PARAMETER work_mem TO ci;

                """)
        #expect(statements.making([]).isEmpty)
        #expect(!text(statements.text).contains("client_encoding"))
    }

    /// What a plain role may write of itself, most with a statement in it that would make a superuser.
    @Test(arguments: [
        "ALTER ROLE app SET application_name TO ', b;\nCREATE ROLE evil SUPERUSER;\n';",
        "ALTER ROLE app SET application_name TO E'\\\\'', b;\nCREATE ROLE evil SUPERUSER;\n';",
        "ALTER ROLE app SET application_name TO E'\\';\nCREATE ROLE evil SUPERUSER;\n';",
        "ALTER ROLE app SET application_name TO E'a'\n'\\';\nCREATE ROLE evil SUPERUSER;\n';",
        "ALTER ROLE app SET application_name TO e'\\';\nCREATE ROLE evil SUPERUSER;\n';",
        "ALTER ROLE app SET application_name TO '\u{301};\nCREATE ROLE evil SUPERUSER;\n';",
        "ALTER ROLE app SET application_name TO '\u{301}'';\r\nCREATE ROLE evil SUPERUSER;\r\n';",
        "ALTER ROLE app SET application_name TO '--';",
        "ALTER ROLE app SET application_name TO '/*';",
        "ALTER ROLE app SET application_name TO '$a$';",
        "ALTER ROLE app SET application_name TO '\\';",
        "ALTER ROLE app SET \"x.\"\";\nCREATE ROLE evil SUPERUSER;\n\" TO 'y';",
        "ALTER ROLE app SET x.y TO $a$;\nCREATE ROLE evil SUPERUSER;\n$b$;$$;$a;$a$;",
        "ALTER ROLE app SET x.y TO $$;\nCREATE ROLE evil SUPERUSER;\n$a$;$$;",
        "ALTER ROLE app /* ';\n/* */ CREATE ROLE evil SUPERUSER;\n */ SET x.y TO 'z';",
        "ALTER ROLE app -- ';\n SET x.y TO 'z';",
        "COMMENT ON ROLE app IS 'owner: Bob;\nCREATE ROLE evil SUPERUSER;\nsee the wiki';",
    ])
    func aValueIsPartOfItsStatement(_ statement: String) throws {
        let all = "CREATE ROLE app;\n\(statement)\nCREATE ROLE next;\n"
        let statements = try statements(all)
        #expect(statements.roles == ["app", "next"])
        #expect(text(statements.text) == all)
        #expect(text(statements.making(["app"])) == "CREATE ROLE app;\n\(statement)\n")
        #expect(statements.making(["evil"]).isEmpty)
        // A snapshot's own text is read as it was written.
        #expect(try RoleStatements(statements.text).text == statements.text)
    }

    @Test func aNameIsNoKeyword() throws {
        let statements = try statements(
            """
            CREATE ROLE "PARAMETER";
            CREATE ROLE "TO";
            GRANT "TO" TO "PARAMETER" GRANTED BY postgres;
            CREATE ROLE e;
            GRANT e TO "TO" GRANTED BY postgres;
            "CREATE" ROLE evil;
            CREATE "ROLE" evil;
            CREATE ROLE "a--b;c'd";

            """)
        #expect(statements.roles == ["PARAMETER", "TO", "e", "a--b;c'd"])
        #expect(
            text(statements.making(["PARAMETER"])) == """
                CREATE ROLE "PARAMETER";
                GRANT "TO" TO "PARAMETER" GRANTED BY postgres;

                """)
    }

    @Test(arguments: [
        "CREATE ROLE app", "CREATE ROLE \"app;\n", "COMMENT ON ROLE app IS 'x;\n",
        "COMMENT ON ROLE app IS E'\\';\n", "SET x TO 'y;\n", "/* ;\n", "CREATE ROLE a $b$;\n$c$;",
        "ALTER ROLE app SET x TO \\! touch y\n;", "CREATE ROLE \"a\nb\";\n", "CREATE ROLE \"a\rb\";\n",
        "CREATE ROLE a\0;\n",
    ])
    func whatEndsInTheMiddleOrIsNoSQLIsAFailure(_ text: String) {
        #expect(throws: DriverFailure.self) { try statements(text) }
        #expect(throws: DriverFailure.self) { try statements("CREATE ROLE ci;\n\(text)") }
    }

    @Test func namesAndTextsAreQuotedWhateverIsInThem() {
        #expect(SQLScanner.identifier("a\"b") == "\"a\"\"b\"")
        #expect(SQLScanner.literal("it's") == "'it''s'")
        // A quote and an accent are one character.
        #expect(Array(SQLScanner.literal("'\u{301}").utf8) == Array("'''\u{301}'".utf8))
    }
}
